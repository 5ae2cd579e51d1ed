"""VQ-f2 autoencoder with 2,048 codes.

Rombach et al. 2022, table 8; not released.
The widths of its levels are ours.

Train and judge: as autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = './autoencoder_vq-f4_1xb8-533k_images-256x256.py'
model = dict(
    autoencoder=dict(
        latent_channels=2,
        channel_mults=(1, 2),
        quantizer=dict(num_codes=2048),
    ),
)
