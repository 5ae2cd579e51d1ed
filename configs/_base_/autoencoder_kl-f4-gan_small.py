_base_ = [
    './models/autoencoder_kl-f4.py',
    './schedules/adam_autoencoder-gan.py',
    './default_runtime.py',
]

# First stages with a discriminator, for two CPU cores; a config adds the data.
model = dict(
    autoencoder=dict(
        channels=32, num_res_blocks=1, mid_attention=False, norm_groups=8
    ),
    adversarial=dict(
        type='AdversarialLoss',
        discriminator=dict(
            type='PatchDiscriminator', channels=32, num_layers=2
        ),
        weight=0.1,
        start=1600,
        lead=100,
        ramp=100,
    ),
)

optim_wrapper = dict(
    autoencoder=dict(
        type='AutocastOptimWrapper',
        optimizer=dict(lr=5e-4, betas=(0.9, 0.99)),
        clip_grad=dict(max_norm=1.0),
    ),
    adversarial=dict(type='AutocastOptimWrapper', optimizer=dict(lr=2e-4)),
)
param_scheduler = dict(
    autoencoder=[
        dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
        dict(
            type='CosineAnnealingLR',
            by_epoch=False,
            begin=50,
            eta_min=2e-5,
        ),
    ],
    adversarial=[],
)
train_cfg = dict(max_iters=2000, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=500),
    ema=dict(type='ModuleEMAHook', decay=0.998),
    spectra=dict(type='SpectraHook', output='reconstructions'),
)
