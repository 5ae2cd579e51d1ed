_base_ = './ldm_kl-f4.py'

# LDM-8 of CelebA (Rombach et al. 2022, table 14).
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_vq-f8_1xb10-971k_images-256x256',
    denoiser=dict(
        channels=256,
        channel_mults=(1, 2, 4),
        attn_factors=(1, 2, 4),
    ),
)
