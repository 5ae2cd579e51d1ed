"""Class-conditional latent diffusion of handwritten digits, for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py \
       work_dirs/ldm_kl-f4_class_1xb64-600_digits-32x32

Needs the first stage of autoencoder_kl-f4_1xb32-300_digits-32x32.py.
"""

_base_ = [
    '../_base_/ldm_kl-f4_digits_32x32.py',
    '../_base_/datasets/digits-requests_32x32.py',
]
model = dict(
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
    guidance=dict(_delete_=True, type='ClassifierFreeGuidance', scale=2.0),
)
