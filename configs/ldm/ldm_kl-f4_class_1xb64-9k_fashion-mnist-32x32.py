"""Class-conditional latent diffusion of clothes, for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_class_1xb64-9k_fashion-mnist-32x32.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_class_1xb64-9k_fashion-mnist-32x32.py \
       work_dirs/ldm_kl-f4_class_1xb64-9k_fashion-mnist-32x32

Needs the first stage of
autoencoder_kl-f4_1xb64-2k_fashion-mnist-32x32.py. The test draws an image
for each of 2,000 held-out ones, with its class, and judges these, their
reconstructions and decoded noise too.
"""

_base_ = [
    '../_base_/models/ldm_kl-f4_small.py',
    '../_base_/datasets/fashion-mnist-requests_32x32.py',
    '../_base_/schedules/adamw_small.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4_1xb64-2k_fashion-mnist-32x32',
    denoiser=dict(channel_mults=(1, 2), attn_factors=(2,)),
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
    guidance=dict(_delete_=True, type='ClassifierFreeGuidance', scale=1.25),
    # Small errors in the latents make textures rough, which is seen at once.
    extra_losses=[
        dict(
            type='DecodedLoss',
            perceptual=dict(
                type='PretrainedFeatures',
                network=dict(type='EfficientNetLiteStages'),
            ),
        )
    ],
)
optim_wrapper = dict(type='AutocastOptimWrapper')
# The rate ends at a tenth of its peak: an average of the weights is judged.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=11_250),
]
train_cfg = dict(max_iters=9000, val_interval=3000)
default_hooks = dict(
    checkpoint=dict(interval=1000),
    visualization=dict(num_images=100),
    latent_scale=dict(type='LatentScaleHook', per_channel=True),
    ema=dict(decay=0.9995),
    reference=dict(type='ReferenceMetricsHook', noise=True),
)
