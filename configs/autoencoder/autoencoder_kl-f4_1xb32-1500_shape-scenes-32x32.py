"""KL-f4 autoencoder of drawn scenes of shapes: minutes on two CPU cores.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32.py
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32.py \
       work_dirs/autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32
"""

_base_ = [
    '../_base_/models/autoencoder_kl-f4_small.py',
    '../_base_/datasets/shape-scenes_32x32.py',
    '../_base_/schedules/adam_autoencoder_small.py',
    '../_base_/default_runtime.py',
]
model = dict(
    autoencoder=dict(
        latent_channels=4, channel_mults=(1, 2, 2), image_skip=True
    )
)
optim_wrapper = dict(
    type='AutocastOptimWrapper',
    optimizer=dict(lr=1e-3),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=50,
        eta_min=2e-5,
    ),
]
train_cfg = dict(max_iters=1500, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=250),
    ema=dict(type='ModuleEMAHook', decay=0.998),
)
