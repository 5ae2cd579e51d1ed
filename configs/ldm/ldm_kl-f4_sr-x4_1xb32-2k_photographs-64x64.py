"""Super-resolution of real photographs by 4, for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_sr-x4_1xb32-2k_photographs-64x64.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_sr-x4_1xb32-2k_photographs-64x64.py \
       work_dirs/ldm_kl-f4_sr-x4_1xb32-2k_photographs-64x64
Draw:  python tools/sample.py \
       configs/ldm/ldm_kl-f4_sr-x4_1xb32-2k_photographs-64x64.py \
       work_dirs/ldm_kl-f4_sr-x4_1xb32-2k_photographs-64x64 --low-res SMALL.png

Needs the first stage of autoencoder_kl-f4_1xb16-2k_photographs-64x64.py.
"""

_base_ = [
    '../_base_/ldm_kl-f4_photographs_64x64.py',
    '../_base_/datasets/photographs-sr-x4.py',
]
model = dict(conditioner=dict(embedders=[dict(type='LowResolution')]))

val_evaluator = [
    dict(
        type='SuperResolutionMetrics',
        features={{_base_.features}},
        patches=True,
    ),
    dict(type='Sharpness'),
]
test_evaluator = val_evaluator
