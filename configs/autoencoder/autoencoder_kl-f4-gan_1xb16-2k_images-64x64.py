"""KL-f4 autoencoder of your own images with a discriminator.

For two CPU cores: crops of 64 pixels, at the images' own resolution.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4-gan_1xb16-2k_images-64x64.py \
       --cfg-options train_dataloader.dataset.data_root=FOLDER
"""

_base_ = [
    '../_base_/autoencoder_kl-f4-gan_small.py',
    '../_base_/datasets/image-folder-shrunk.py',
]
# Instead of image_skip, which diffusers does not have.
model = dict(autoencoder=dict(starts_as_resizing=True))
train_dataloader = dict(global_batch_size=16, dataset=dict(size=64))
