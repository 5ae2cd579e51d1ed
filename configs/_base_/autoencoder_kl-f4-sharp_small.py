_base_ = [
    './models/autoencoder_kl-f4_small.py',
    './schedules/adam_autoencoder_short.py',
    './default_runtime.py',
]

# First stages whose reconstructions keep detail, and whose latents tolerate
# noise, for two CPU cores; a config adds the data.
model = dict(
    perceptual=dict(
        type='PretrainedFeatures', network=dict(type='EfficientNetLiteStages')
    ),
    perceptual_weight=0.4,
    latent_noise=0.2,
)
# Longer training against noise makes images smoother: after 3,200 iterations
# they have 0.60 of the originals' gradient energy, not 0.66.
train_cfg = dict(max_iters=1600, val_interval=400)
default_hooks = dict(
    checkpoint=dict(interval=400),
    ema=dict(type='ModuleEMAHook', decay=0.998),
    spectra=dict(type='SpectraHook', output='reconstructions'),
)
