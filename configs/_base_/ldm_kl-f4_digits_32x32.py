_base_ = [
    './models/ldm_kl-f4_small.py',
    './schedules/adamw_small.py',
    './ldm_runtime.py',
]

# Shared by models of handwritten digits; a config adds the data.
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4_1xb32-300_digits-32x32',
    denoiser=dict(channel_mults=(1, 2), attn_factors=(2,)),
    diffusion_scheduler=dict(num_steps=15),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50),
]
train_cfg = dict(max_iters=600, val_interval=300)
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(interval=100),
    visualization=dict(num_images=100),
    latent_scale=dict(type='LatentScaleHook'),
    ema=dict(decay=0.999),
)
