_base_ = './ldm_vq-f4.py'

# LDM-1 of CelebA, in pixel space (Rombach et al. 2022, table 14).
model = dict(
    autoencoder=dict(_delete_=True, type='IdentityAutoencoder'),
    denoiser=dict(
        channels=192,
        channel_mults=(1, 1, 2, 2, 4, 4),
        attn_factors=(8, 16, 32),
    ),
)
