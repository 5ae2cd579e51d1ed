"""VQ-f4 autoencoder with 256 codes.

Rombach et al. 2022, table 8; not released.

Train and judge: as autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = './autoencoder_vq-f4_1xb8-533k_images-256x256.py'
model = dict(
    autoencoder=dict(quantizer=dict(num_codes=256)),
)
