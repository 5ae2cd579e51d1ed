"""KL-f4 autoencoder of handwritten digits: minutes on two CPU cores.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py \
       work_dirs/autoencoder_kl-f4_1xb32-300_digits-32x32
"""

_base_ = [
    '../_base_/models/autoencoder_kl-f4_small.py',
    '../_base_/datasets/digits_32x32.py',
    '../_base_/schedules/adam_autoencoder_small.py',
    '../_base_/default_runtime.py',
]
model = dict(
    autoencoder=dict(
        latent_channels=4, channel_mults=(1, 2, 2), norm_groups=32
    )
)
train_dataloader = dict(global_batch_size=32)

optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_iters=300, val_interval=300)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=50))
