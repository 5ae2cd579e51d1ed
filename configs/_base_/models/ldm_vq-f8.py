_base_ = './ldm_vq-f4.py'

# LDM-8 of CelebA (Rombach et al. 2022, table 14).
model = dict(
    autoencoder=dict(
        latent_channels=4,
        channel_mults=(1, 2, 2, 4),
        attn_factors=(8,),
        quantizer=dict(num_codes=16384),
    ),
    denoiser=dict(
        channels=256,
        channel_mults=(1, 2, 4),
        attn_factors=(1, 2, 4),
    ),
)
