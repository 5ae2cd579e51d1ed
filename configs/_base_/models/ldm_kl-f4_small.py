_base_ = './ldm_kl-f4.py'

# A network for two CPU cores.
model = dict(
    denoiser=dict(channels=64, channel_mults=(1, 2, 2), attn_factors=(4,)),
    diffusion_scheduler=dict(
        prediction=dict(_delete_=True, type='VelocityPrediction')
    ),
)
