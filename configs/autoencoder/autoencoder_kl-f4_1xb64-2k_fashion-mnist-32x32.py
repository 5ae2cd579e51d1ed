"""KL-f4 autoencoder of clothes, 12 latent channels, for two CPU cores.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4_1xb64-2k_fashion-mnist-32x32.py
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_kl-f4_1xb64-2k_fashion-mnist-32x32.py \
       work_dirs/autoencoder_kl-f4_1xb64-2k_fashion-mnist-32x32
"""

_base_ = [
    '../_base_/models/autoencoder_kl-f4_small.py',
    '../_base_/datasets/fashion-mnist_32x32.py',
    '../_base_/schedules/adam_autoencoder_small.py',
    '../_base_/default_runtime.py',
]
model = dict(
    autoencoder=dict(
        type='GreyAutoencoderKL',
        latent_channels=12,
        channels=16,
        channel_mults=(1, 4, 4),
    )
)
optim_wrapper = dict(type='AutocastOptimWrapper', optimizer=dict(lr=2e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100),
]
train_cfg = dict(max_iters=2000, val_interval=1000)
default_hooks = dict(
    checkpoint=dict(interval=500),
    ema=dict(type='ModuleEMAHook', decay=0.998),
)
