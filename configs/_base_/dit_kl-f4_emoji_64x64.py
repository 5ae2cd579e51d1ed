_base_ = [
    './models/ldm_kl-f4_small.py',
    './transformer_small.py',
    './datasets/emoji-names_64x64.py',
    './schedules/adamw_small.py',
    './ldm_runtime.py',
]

# Shared by models of emoji, which learn by heart which picture a condition
# means.
model = dict(
    autoencoder_checkpoint='work_dirs/autoencoder_kl-f4_1xb8-2500_emoji-64x64',
    denoiser={{_base_.transformer}},
    conditioner=dict(drop_prob=0.1),
    diffusion_scheduler=dict(
        # Levels with much noise decide which picture it is: neither schedule
        # nor grid leave them out, and two thirds of the times are there.
        noise_schedule=dict(_delete_=True, type='CosineSchedule'),
        timestep_sampler=dict(
            _delete_=True,
            type='LogitNormalTimesteps',
            mean=0.5,
            std=1.2,
            stratified=True,
        ),
        time_grid=dict(_delete_=True, type='TrailingGrid'),
    ),
    guidance=dict(_delete_=True, type='ClassifierFreeGuidance', scale=2.0),
)
optim_wrapper = dict(type='AutocastOptimWrapper', clip_grad=dict(max_norm=1.0))
default_hooks = dict(
    checkpoint=dict(interval=500),
    visualization=dict(num_images=96),
    latent_scale=dict(type='LatentScaleHook', per_channel=True),
    ema=dict(decay=0.999),
    reference=dict(type='ReferenceMetricsHook'),
)
