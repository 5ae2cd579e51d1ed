_base_ = './ldm_vq-f8.py'

# LDM-32 of CelebA (Rombach et al. 2022, table 14). Its latents have 32
# channels, those of the paper's first stages of this factor (table 8) 16.
model = dict(
    autoencoder=dict(
        latent_channels=32,
        channel_mults=(1, 1, 2, 2, 4, 4),
        attn_factors=(16, 32),
    ),
)
