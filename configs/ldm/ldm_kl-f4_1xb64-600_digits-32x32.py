"""Unconditional latent diffusion of handwritten digits, for two CPU cores.

Train: python tools/train.py configs/ldm/ldm_kl-f4_1xb64-600_digits-32x32.py
Judge: python tools/test.py configs/ldm/ldm_kl-f4_1xb64-600_digits-32x32.py \
       work_dirs/ldm_kl-f4_1xb64-600_digits-32x32

Needs the first stage of autoencoder_kl-f4_1xb32-300_digits-32x32.py.
"""

_base_ = [
    '../_base_/ldm_kl-f4_digits_32x32.py',
    '../_base_/datasets/digits-requests_32x32.py',
]
# About as many samples as there are real digits to compare with.
test_dataloader = dict(
    batch_size=64,
    dataset=dict(
        _delete_=True,
        type='DigitsDataset',
        split='test',
        samples_per_entry=4,
        pipeline=[dict(type='PackInputs')],
    ),
)
test_evaluator = dict(
    _delete_=True, type='FrechetDistance', dataset={{_base_.train_set}}
)
default_hooks = dict(reference=dict(type='ReferenceMetricsHook', noise=True))
