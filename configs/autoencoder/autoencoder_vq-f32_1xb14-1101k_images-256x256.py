"""VQ-f32 autoencoder.

Rombach et al. 2022, table 8; not released.

Train and judge: as autoencoder_vq-f16_1xb14-1101k_images-256x256.py.
"""

_base_ = './autoencoder_vq-f16_1xb14-1101k_images-256x256.py'
model = dict(
    autoencoder=dict(
        latent_channels=16,
        channel_mults=(1, 1, 2, 2, 4, 4),
        attn_factors=(16, 32),
    ),
)
