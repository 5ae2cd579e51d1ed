"""KL-f4 autoencoder of larger scenes of shapes, for two CPU cores.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4_1xb8-2k_shape-scenes-64x64.py
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_kl-f4_1xb8-2k_shape-scenes-64x64.py \
       work_dirs/autoencoder_kl-f4_1xb8-2k_shape-scenes-64x64
"""

_base_ = [
    '../_base_/autoencoder_kl-f4_shape-scenes.py',
    '../_base_/datasets/shape-scenes_64x64.py',
]
# A decoder that tolerates noise draws clean shapes from what a small
# diffusion model generates.
model = dict(latent_noise=0.1)
train_dataloader = dict(global_batch_size=8)
train_cfg = dict(max_iters=2000)
