_base_ = './ldm_vq-f8.py'

# LDM-16 of CelebA (Rombach et al. 2022, table 14).
model = dict(
    autoencoder=dict(
        latent_channels=8,
        channel_mults=(1, 1, 2, 2, 4),
        attn_factors=(16,),
    ),
)
