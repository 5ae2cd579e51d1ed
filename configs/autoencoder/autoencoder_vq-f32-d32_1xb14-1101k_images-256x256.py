"""VQ-f32 autoencoder with 32 latent channels, that of the paper's LDM-32.

Rombach et al. 2022, tables 13 and 14: LDM-32 has 32 latent channels, but the
first stages of this factor in table 8 have 16. Not released.

Train and judge: as autoencoder_vq-f16_1xb14-1101k_images-256x256.py.
"""

_base_ = './autoencoder_vq-f32_1xb14-1101k_images-256x256.py'
model = dict(
    autoencoder=dict(latent_channels=32),
)
