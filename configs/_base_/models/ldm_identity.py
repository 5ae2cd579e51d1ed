_base_ = './ldm_kl-f4.py'

# LDM-1 of CelebA, in pixel space (Rombach et al. 2022, table 14).
model = dict(
    autoencoder=dict(type='IdentityAutoencoder'),
    denoiser=dict(
        channels=192,
        channel_mults=(1, 1, 2, 2, 4, 4),
        attn_factors=(8, 16, 32),
    ),
)
