model = dict(
    type='LatentDiffusion',
    autoencoder=dict(
        type='AutoencoderKL',
        latent_channels=3,
        channels=128,
        channel_mults=(1, 2, 4),
        num_res_blocks=2,
    ),
    denoiser=dict(
        type='DenoisingUNet',
        in_channels=3,
        out_channels=3,
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
