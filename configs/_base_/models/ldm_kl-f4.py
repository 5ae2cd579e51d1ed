# LDM-4 (Rombach et al. 2022, table 12). A config that inherits it names a
# first stage, whose checkpoint has its architecture.
model = dict(
    type='LatentDiffusion',
    denoiser=dict(
        type='DenoisingUNet',
        channels=224,
        channel_mults=(1, 2, 3, 4),
        num_res_blocks=2,
        attn_factors=(2, 4, 8),
    ),
    conditioner=dict(type='Conditioner'),
    diffusion_scheduler=dict(
        type='DiffusionScheduler',
        noise_schedule=dict(
            type='ScaledLinearBetas', start=0.0015, end=0.0195
        ),
        prediction=dict(type='EpsilonPrediction'),
        loss_weighting=dict(type='UniformWeighting'),
        timestep_sampler=dict(type='UniformTimesteps'),
        time_grid=dict(type='EqualErrorGrid'),
        solver=dict(type='IPNDM', order=3),
        num_steps=20,
    ),
    guidance=dict(type='NoGuidance'),
)
