"""KL-f4 autoencoder of your own images, for two CPU cores.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4_1xb16-1k_images-64x64.py \
       --cfg-options train_dataloader.dataset.data_root=FOLDER
"""

_base_ = [
    '../_base_/models/autoencoder_kl-f4_small.py',
    '../_base_/datasets/image-folder.py',
    '../_base_/schedules/adam_autoencoder_small.py',
    '../_base_/default_runtime.py',
]
model = dict(autoencoder=dict(starts_as_resizing=True))
train_dataloader = dict(
    global_batch_size=16, num_workers=1, dataset=dict(size=64)
)

optim_wrapper = dict(optimizer=dict(lr=5e-4), clip_grad=dict(max_norm=1.0))
train_cfg = dict(max_iters=1000, val_interval=500)
default_hooks = dict(checkpoint=dict(interval=500))
