_base_ = [
    './models/ldm_kl-f4_small.py',
    './schedules/adamw_small.py',
    './ldm_runtime.py',
]

# mmldm.toy_data.shape_scene.WORDS
scene_words = [
    *('a', 'and'),
    *('red', 'green', 'blue', 'yellow', 'magenta', 'cyan'),
    *('circle', 'square', 'triangle', 'cross'),
]
# Shared by models of scenes of shapes; a config adds the data and the first
# stage.
model = dict(
    denoiser=dict(channel_mults=(2, 2), num_res_blocks=1, attn_factors=(2,)),
    conditioner=dict(drop_prob=0.1),
    diffusion_scheduler=dict(
        noise_schedule=dict(_delete_=True, type='RectifiedFlow'),
        prediction=dict(_delete_=True, type='FlowPrediction'),
        timestep_sampler=dict(
            _delete_=True, type='LogitNormalTimesteps', stratified=True
        ),
    ),
    guidance=dict(_delete_=True, type='ClassifierFreeGuidance', scale=2.0),
)
train_cfg = dict(max_iters=3000, val_interval=1000)
default_hooks = dict(
    checkpoint=dict(interval=500),
    latent_scale=dict(type='LatentScaleHook', per_channel=True),
    ema=dict(decay=0.999),
    reference=dict(type='ReferenceMetricsHook'),
)
