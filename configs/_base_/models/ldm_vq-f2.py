_base_ = './ldm_vq-f4.py'

# LDM-2 of CelebA (Rombach et al. 2022, table 14).
model = dict(
    autoencoder=dict(
        latent_channels=2,
        channel_mults=(1, 2),
        quantizer=dict(num_codes=2048),
    ),
    denoiser=dict(
        channels=192,
        channel_mults=(1, 2, 2, 4, 4),
        attn_factors=(4, 8, 16),
    ),
)
