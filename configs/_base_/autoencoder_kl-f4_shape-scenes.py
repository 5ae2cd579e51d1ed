_base_ = [
    './models/autoencoder_kl-f4_small.py',
    './schedules/adam_autoencoder_small.py',
    './default_runtime.py',
]

# First stages of scenes of shapes; a config adds the data.
model = dict(
    autoencoder=dict(
        latent_channels=4, channel_mults=(1, 2, 2), image_skip=True
    )
)
optim_wrapper = dict(
    type='AutocastOptimWrapper',
    optimizer=dict(lr=1e-3),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=50,
        eta_min=2e-5,
    ),
]
train_cfg = dict(max_iters=1500, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=250),
    ema=dict(type='ModuleEMAHook', decay=0.998),
)
