_base_ = [
    './models/autoencoder_kl-f4_small.py',
    './schedules/adam_autoencoder_short.py',
    './default_runtime.py',
]

# First stages of scenes of shapes; a config adds the data.
model = dict(
    autoencoder=dict(
        latent_channels=4, channel_mults=(1, 2, 2), image_skip=True
    )
)
train_cfg = dict(max_iters=1500, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=250),
    ema=dict(type='ModuleEMAHook', decay=0.998),
)
