"""Inpainting of real photographs, with the sharp first stage.

Train: python tools/train.py \
  configs/ldm/ldm_kl-f4-d12_inpaint_1xb32-3k_photographs-64x64.py
Judge: python tools/test.py \
  configs/ldm/ldm_kl-f4-d12_inpaint_1xb32-3k_photographs-64x64.py \
  work_dirs/ldm_kl-f4-d12_inpaint_1xb32-3k_photographs-64x64

Needs the first stage of
autoencoder_kl-f4-d12_1xb8-1600_photographs-64x64.py, and the Debian packages
of its photographs.
"""

_base_ = './ldm_kl-f4_inpaint_1xb32-2k_photographs-64x64.py'
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4-d12_1xb8-1600_photographs-64x64',
    conditioner=dict(embedders=[dict(type='FilledImage', blends=True)]),
    diffusion_scheduler=dict(
        # Of absolute errors, the best estimate is the median, which has less
        # detail than the mean, as detail is rare and strong.
        loss_function=dict(type='L2Loss'),
        # More steps give more detail, and more spots of other colours.
        num_steps=12,
    ),
    extra_losses=[
        dict(
            type='DecodedLoss',
            perceptual={{_base_.features}},
            # Only the hole differs, a quarter of an image, so that the
            # distance is small.
            perceptual_weight=0.3,
            # What is around the hole says much, even at high noise.
            max_noise=None,
            share=0.125,
        )
    ],
)
train_dataloader = dict(dataset=dict(packages={{_base_.wallpapers}}))
train_cfg = dict(max_iters=3000, val_interval=1500)
default_hooks = dict(checkpoint=dict(interval=1000), ema=dict(decay=0.999))
