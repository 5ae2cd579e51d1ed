"""Super-resolution of real photographs by 4, with the sharp first stage.

Train: python tools/train.py \
  configs/ldm/ldm_kl-f4-d12_sr-x4_1xb32-4k_photographs-64x64.py
Judge: python tools/test.py \
  configs/ldm/ldm_kl-f4-d12_sr-x4_1xb32-4k_photographs-64x64.py \
  work_dirs/ldm_kl-f4-d12_sr-x4_1xb32-4k_photographs-64x64

Needs the first stage of
autoencoder_kl-f4-d12_1xb8-1600_photographs-64x64.py, and the Debian packages
of its photographs.
"""

_base_ = './ldm_kl-f4_sr-x4_1xb32-2k_photographs-64x64.py'
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4-d12_1xb8-1600_photographs-64x64',
    # The small image reaches the output directly: samples agree with it.
    denoiser=dict(input_skip=True),
    conditioner=dict(
        embedders=[dict(type='LowResolution', back_projections=3)]
    ),
    extra_losses=[
        dict(
            type='DecodedLoss',
            perceptual={{_base_.features}},
            # The small image says much, even at high noise.
            max_noise=None,
            share=0.125,
        )
    ],
)
train_dataloader = dict(dataset=dict(packages={{_base_.wallpapers}}))
train_cfg = dict(max_iters=4000, val_interval=2000)
default_hooks = dict(checkpoint=dict(interval=1000), ema=dict(decay=0.999))
