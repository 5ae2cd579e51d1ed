"""Unconditional latent diffusion of your own images, for two CPU cores.

Train: python tools/train.py configs/ldm/ldm_kl-f4_1xb32-2k_images-64x64.py \
       --cfg-options train_dataloader.dataset.data_root=FOLDER
Draw:  python tools/test.py configs/ldm/ldm_kl-f4_1xb32-2k_images-64x64.py \
       work_dirs/ldm_kl-f4_1xb32-2k_images-64x64 --show-dir drawn

Needs the first stage of autoencoder_kl-f4_1xb16-1k_images-64x64.py.
"""

_base_ = [
    '../_base_/models/ldm_kl-f4_small.py',
    '../_base_/datasets/image-folder-requests.py',
    '../_base_/schedules/adamw_small.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    autoencoder_checkpoint='work_dirs/autoencoder_kl-f4_1xb16-1k_images-64x64'
)
train_dataloader = dict(
    global_batch_size=32, num_workers=1, dataset=dict(size=64)
)

train_cfg = dict(max_iters=2000, val_interval=1000)
default_hooks = dict(
    checkpoint=dict(interval=500),
    latent_scale=dict(
        type='LatentScaleHook', num_samples=256, per_channel=True
    ),
    ema=dict(decay=0.999),
    validation_loss=dict(type='ValidationLossHook', num_images=64),
)
