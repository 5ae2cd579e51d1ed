"""KL-f16 autoencoder with 8 latent channels.

Rombach et al. 2022, table 8; not released.

Train and judge: as autoencoder_kl-f16_1xb6-443k_images-256x256.py.
"""

_base_ = './autoencoder_kl-f16_1xb6-443k_images-256x256.py'
model = dict(
    autoencoder=dict(latent_channels=8),
)
