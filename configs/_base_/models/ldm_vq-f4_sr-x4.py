_base_ = './ldm_vq-f4.py'

# The released super-resolution model, bsr_sr.
model = dict(
    denoiser=dict(
        channels=160,
        channel_mults=(1, 2, 2, 4),
        attn_factors=(8,),
    ),
    conditioner=dict(embedders=[dict(type='LowResolution')]),
    diffusion_scheduler=dict(noise_schedule=dict(end=0.0155)),
)
