_base_ = './ldm_kl-f4.py'

# LDM-2 of CelebA (Rombach et al. 2022, table 14).
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_vq-f2_1xb8-533k_images-256x256',
    denoiser=dict(
        channels=192,
        channel_mults=(1, 2, 2, 4, 4),
        attn_factors=(4, 8, 16),
    ),
)
