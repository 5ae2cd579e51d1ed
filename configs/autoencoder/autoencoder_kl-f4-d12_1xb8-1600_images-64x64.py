"""KL-f4 autoencoder of your own images that keeps their detail.

Like that of photographs, for two CPU cores: crops of 64 pixels, at the
images' own resolution. README.md in this folder has its results.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4-d12_1xb8-1600_images-64x64.py \
       --cfg-options train_dataloader.dataset.data_root=FOLDER
"""

_base_ = [
    '../_base_/autoencoder_kl-f4-sharp_small.py',
    '../_base_/datasets/image-folder-shrunk.py',
]
model = dict(autoencoder=dict(latent_channels=12, block_skip=True))
train_dataloader = dict(global_batch_size=8, dataset=dict(size=64))
