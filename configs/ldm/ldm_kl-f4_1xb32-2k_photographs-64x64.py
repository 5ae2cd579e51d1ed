"""Unconditional latent diffusion of real photographs, for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_1xb32-2k_photographs-64x64.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_1xb32-2k_photographs-64x64.py \
       work_dirs/ldm_kl-f4_1xb32-2k_photographs-64x64

Needs the first stage of autoencoder_kl-f4_1xb16-2k_photographs-64x64.py.
"""

_base_ = [
    '../_base_/ldm_kl-f4_photographs_64x64.py',
    '../_base_/datasets/photographs-ldm.py',
]
train_set = dict(
    type='Photographs',
    split='train',
    size=64,
    # Without RandomChannelOrder: colours should be real.
    pipeline={{_base_.real_colours}},
)
train_dataloader = dict(dataset=train_set)
test_dataloader = dict(dataset=dict(samples_per_entry=4))
val_evaluator = [
    dict(type='FrechetDistance', dataset=train_set),
    dict(type='Sharpness', dataset=train_set),
]
test_evaluator = val_evaluator
default_hooks = dict(reference=dict(noise=True))
