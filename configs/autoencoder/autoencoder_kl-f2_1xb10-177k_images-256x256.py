"""KL-f2 autoencoder.

Rombach et al. 2022, table 8; not released.
The widths of its levels are ours.

Train and judge: as autoencoder_kl-f4_1xb10-177k_images-256x256.py.
"""

_base_ = './autoencoder_kl-f4_1xb10-177k_images-256x256.py'
model = dict(
    autoencoder=dict(latent_channels=2, channel_mults=(1, 2)),
)
