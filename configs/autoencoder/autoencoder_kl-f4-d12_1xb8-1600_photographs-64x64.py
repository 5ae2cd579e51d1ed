"""KL-f4 autoencoder of real photographs that keeps their detail.

Twelve latent channels, which start as a cosine transform; L1 and a perceptual
loss, for two CPU cores. The decoder is trained for noisy latents. README.md in
this folder has the results, the times, and the Debian packages of its
photographs.

Train: python tools/train.py \
  configs/autoencoder/autoencoder_kl-f4-d12_1xb8-1600_photographs-64x64.py
Judge: python tools/test.py \
  configs/autoencoder/autoencoder_kl-f4-d12_1xb8-1600_photographs-64x64.py \
  work_dirs/autoencoder_kl-f4-d12_1xb8-1600_photographs-64x64
"""

_base_ = [
    '../_base_/autoencoder_kl-f4-sharp_small.py',
    '../_base_/datasets/photographs-wallpapers.py',
]
model = dict(autoencoder=dict(latent_channels=12, block_skip=True))
train_dataloader = dict(global_batch_size=8)
