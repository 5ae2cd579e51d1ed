"""KL-f4 autoencoder of handwritten digits: minutes on two CPU cores.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py \
       work_dirs/autoencoder_kl-f4_1xb32-300_digits-32x32
"""

_base_ = [
    '../_base_/models/autoencoder_kl-f4.py',
    '../_base_/datasets/digits_32x32.py',
    '../_base_/schedules/adam_autoencoder.py',
    '../_base_/default_runtime.py',
]
model = dict(
    autoencoder=dict(
        latent_channels=4,
        channels=32,
        channel_mults=(1, 2, 2),
        num_res_blocks=1,
        mid_attention=False,
    )
)
train_dataloader = dict(global_batch_size=32)

optim_wrapper = dict(optimizer=dict(lr=2e-3, betas=(0.9, 0.99)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50),
]
train_cfg = dict(max_iters=300, val_interval=300)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=50))
