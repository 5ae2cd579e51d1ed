"""KL-f4 autoencoder of real photographs, with a discriminator of features.

As autoencoder_kl-f4-d12_1xb8-1600_photographs-64x64.py, with more detail and
less exact colours. README.md in this folder compares them.

Train: python tools/train.py \
 configs/autoencoder/autoencoder_kl-f4-d12-gan_1xb8-3200_photographs-64x64.py
Judge: python tools/test.py \
 configs/autoencoder/autoencoder_kl-f4-d12-gan_1xb8-3200_photographs-64x64.py \
 work_dirs/autoencoder_kl-f4-d12-gan_1xb8-3200_photographs-64x64
"""

_base_ = [
    '../_base_/autoencoder_kl-f4-sharp-gan_small.py',
    '../_base_/datasets/photographs-wallpapers.py',
]
model = dict(autoencoder=dict(latent_channels=12, block_skip=True))
train_dataloader = dict(global_batch_size=8)
