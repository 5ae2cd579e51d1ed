_base_ = './ldm_kl-f4.py'

# The network of Stable Diffusion 1 and of the paper's text-to-image model
# (Rombach et al. 2022, table 15).
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f8_1xb4-247k_images-256x256',
    denoiser=dict(
        channels=320,
        channel_mults=(1, 2, 4, 4),
        attn_factors=(1, 2, 4),
        attention=dict(num_heads=8),
    ),
)
