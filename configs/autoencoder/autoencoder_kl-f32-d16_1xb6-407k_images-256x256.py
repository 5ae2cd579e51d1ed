"""KL-f32 autoencoder with 16 latent channels.

Rombach et al. 2022, table 8; not released.

Train and judge: as autoencoder_kl-f32_1xb6-407k_images-256x256.py.
"""

_base_ = './autoencoder_kl-f32_1xb6-407k_images-256x256.py'
model = dict(
    autoencoder=dict(latent_channels=16),
)
