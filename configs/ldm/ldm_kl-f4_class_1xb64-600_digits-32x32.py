"""Class-conditional latent diffusion of handwritten digits, for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py \
       work_dirs/ldm_kl-f4_class_1xb64-600_digits-32x32

Needs the first stage of autoencoder_kl-f4_1xb32-300_digits-32x32.py.
"""

_base_ = [
    '../_base_/models/ldm_kl-f4.py',
    '../_base_/datasets/digits-requests_32x32.py',
    '../_base_/schedules/adamw.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    autoencoder=dict(
        latent_channels=4,
        channels=32,
        channel_mults=(1, 2, 2),
        num_res_blocks=1,
        mid_attention=False,
    ),
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4_1xb32-300_digits-32x32',
    denoiser=dict(
        channels=64,
        channel_mults=(1, 2),
        attn_factors=(2,),
    ),
    conditioner=dict(
        drop_prob=0.1,
        embedders=[
            dict(
                type='ClassEmbedder',
                num_classes=10,
                embed_dim=128,
                slot='vector',
            )
        ],
    ),
    diffusion_scheduler=dict(
        prediction=dict(_delete_=True, type='VelocityPrediction'), num_steps=15
    ),
    guidance=dict(_delete_=True, type='ClassifierFreeGuidance', scale=2.0),
)

optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.99)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=600),
]
train_cfg = dict(max_iters=600, val_interval=300)
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(interval=100),
    visualization=dict(num_images=100),
    latent_scale=dict(type='LatentScaleHook'),
    ema=dict(decay=0.999),
)
