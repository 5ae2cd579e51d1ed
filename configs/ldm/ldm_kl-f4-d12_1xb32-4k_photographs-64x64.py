"""Unconditional latent diffusion of photographs, with the sharp first stage.

Train: python tools/train.py \
  configs/ldm/ldm_kl-f4-d12_1xb32-4k_photographs-64x64.py
Judge: python tools/test.py \
  configs/ldm/ldm_kl-f4-d12_1xb32-4k_photographs-64x64.py \
  work_dirs/ldm_kl-f4-d12_1xb32-4k_photographs-64x64

Needs the first stage of
autoencoder_kl-f4-d12_1xb8-1600_photographs-64x64.py, and the Debian packages
of its photographs.
"""

_base_ = './ldm_kl-f4_1xb32-2k_photographs-64x64.py'
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4-d12_1xb8-1600_photographs-64x64',
    extra_losses=[
        dict(
            type='DecodedLoss',
            perceptual={{_base_.features}},
            share=0.125,
        )
    ],
)
train_set = dict(
    type='Photographs',
    split='train',
    size=64,
    packages={{_base_.wallpapers}},
    pipeline={{_base_.real_colours}},
)
train_dataloader = dict(dataset=train_set)
# One image for each of the 622 held-out tiles: the distance of few images is
# biased, and that of the tiles themselves (real/) as much.
test_dataloader = dict(
    dataset=dict(packages={{_base_.wallpapers}}, samples_per_entry=1)
)
# The validation compares with the wheels' photographs alone, which is faster.
test_evaluator = [
    dict(type='FrechetDistance', dataset=train_set),
    dict(type='Sharpness', dataset=train_set),
    dict(
        type='GeneratedImages',
        reference=train_set,
        features=dict(type='EfficientNetLiteFeatures'),
    ),
]
train_cfg = dict(max_iters=4000, val_interval=2000)
default_hooks = dict(checkpoint=dict(interval=1000), ema=dict(decay=0.999))
