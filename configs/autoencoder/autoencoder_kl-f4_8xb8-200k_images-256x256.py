"""KL-f4 autoencoder of your own images, for GPUs.

The network of the paper (Rombach et al. 2022, table 8; 55.3 M parameters).

Train: bash tools/dist_train.sh \
       configs/autoencoder/autoencoder_kl-f4_8xb8-200k_images-256x256.py 8 \
       --amp --cfg-options train_dataloader.dataset.data_root=FOLDER
"""

_base_ = [
    '../_base_/models/autoencoder_kl-f4.py',
    '../_base_/datasets/image-folder.py',
    '../_base_/schedules/adam_autoencoder.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(global_batch_size=64, num_workers=8)

optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=200_000)
default_hooks = dict(checkpoint=dict(save_best='recon/psnr', rule='greater'))
