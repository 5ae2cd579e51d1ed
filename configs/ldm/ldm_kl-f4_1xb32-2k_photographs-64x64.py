"""Unconditional latent diffusion of real photographs, for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_1xb32-2k_photographs-64x64.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_1xb32-2k_photographs-64x64.py \
       work_dirs/ldm_kl-f4_1xb32-2k_photographs-64x64

Needs the first stage of autoencoder_kl-f4_1xb16-2k_photographs-64x64.py.
"""

_base_ = [
    '../_base_/models/ldm_kl-f4.py',
    '../_base_/datasets/photographs.py',
    '../_base_/schedules/adamw.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    autoencoder=dict(
        channels=32,
        num_res_blocks=1,
        mid_attention=False,
        norm_groups=8,
        thumbnail=True,
    ),
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4_1xb16-2k_photographs-64x64',
    denoiser=dict(
        channels=64,
        channel_mults=(1, 2, 2),
        num_res_blocks=1,
        attn_factors=(4,),
    ),
    diffusion_scheduler=dict(
        # Of super-resolution after 450 iterations the error of sampled
        # latents is 0.090; of rectified flow on LogSNRGrid, whose first six
        # steps are at levels that its training hardly visits, 0.094 after
        # 1,000.
        noise_schedule=dict(_delete_=True, type='CosineSchedule'),
        prediction=dict(_delete_=True, type='VelocityPrediction'),
        timestep_sampler=dict(stratified=True),
        time_grid=dict(_delete_=True, type='TrailingGrid'),
    ),
)
train_set = dict(
    type='Photographs',
    split='train',
    size=64,
    # Without RandomChannelOrder: the colours are to be real ones.
    pipeline=[
        dict(type='RandomShrink', min_scale=0.4),
        dict(type='Crop', random=True),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackInputs'),
    ],
)
train_dataloader = dict(global_batch_size=32, num_workers=1, dataset=train_set)
# Every fourth held-out tile.
val_dataloader = dict(batch_size=36, dataset=dict(indices=[*range(0, 142, 4)]))
test_dataloader = dict(batch_size=71, dataset=dict(num_draws=4))
val_evaluator = [dict(type='FrechetDistance', dataset=train_set)]
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='AutocastOptimWrapper', optimizer=dict(lr=1e-3, betas=(0.9, 0.99))
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=2000),
]
train_cfg = dict(max_iters=2000, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=250),
    reference=dict(type='ReferenceMetricsHook', noise=True),
    latent_scale=dict(
        type='LatentScaleHook', num_samples=256, per_channel=True
    ),
    ema=dict(decay=0.998),
)
