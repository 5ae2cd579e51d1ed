"""KL-f4 autoencoder of your own images, for two CPU cores.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4_1xb16-1k_images-64x64.py \
       --cfg-options train_dataloader.dataset.data_root=FOLDER
"""

_base_ = [
    '../_base_/models/autoencoder_kl-f4.py',
    '../_base_/datasets/image-folder.py',
    '../_base_/schedules/adam_autoencoder.py',
    '../_base_/default_runtime.py',
]
model = dict(
    autoencoder=dict(
        channels=32,
        num_res_blocks=1,
        mid_attention=False,
        norm_groups=8,
        starts_as_resizing=True,
    )
)
train_dataloader = dict(
    global_batch_size=16, num_workers=1, dataset=dict(size=64)
)

optim_wrapper = dict(
    optimizer=dict(lr=5e-4, betas=(0.9, 0.99)), clip_grad=dict(max_norm=1.0)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50),
]
train_cfg = dict(max_iters=1000, val_interval=500)
default_hooks = dict(checkpoint=dict(interval=500))
