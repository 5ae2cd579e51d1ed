"""Inpainting of real photographs, for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_inpaint_1xb32-2k_photographs-64x64.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_inpaint_1xb32-2k_photographs-64x64.py \
       work_dirs/ldm_kl-f4_inpaint_1xb32-2k_photographs-64x64
Draw:  python tools/sample.py \
       configs/ldm/ldm_kl-f4_inpaint_1xb32-2k_photographs-64x64.py \
       work_dirs/ldm_kl-f4_inpaint_1xb32-2k_photographs-64x64 --image \
       IMAGE.png --mask MASK.png

Needs the first stage of autoencoder_kl-f4_1xb16-2k_photographs-64x64.py.
"""

_base_ = [
    '../_base_/ldm_kl-f4_photographs_64x64.py',
    '../_base_/datasets/photographs-inpaint.py',
]
model = dict(
    denoiser=dict(input_skip=True),
    conditioner=dict(embedders=[dict(type='FilledImage')]),
    diffusion_scheduler=dict(
        # Gives small errors in smooth places some weight beside large ones.
        loss_function=dict(type='L1Loss'),
        # Extrapolation from earlier steps adds their errors up: IPNDM loses
        # 0.9 dB in the hole.
        solver=dict(_delete_=True, type='DDIM', eta=0.0),
    ),
)

val_evaluator = [
    dict(type='InpaintingMetrics', features={{_base_.features}}, patches=True)
]
test_evaluator = val_evaluator
