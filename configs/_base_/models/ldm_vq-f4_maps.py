_base_ = './ldm_vq-f4.py'

# The networks of inpainting and of semantic maps (Rombach et al. 2022, table
# 15): conditions are concatenated with latents, and attention is in the middle
# only.
model = dict(
    denoiser=dict(channels=128, channel_mults=(1, 4, 8), attn_factors=()),
    diffusion_scheduler=dict(
        noise_schedule=dict(end=0.0205), loss_function=dict(type='L1Loss')
    ),
)
