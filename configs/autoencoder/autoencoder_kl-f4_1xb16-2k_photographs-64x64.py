"""KL-f4 autoencoder of real photographs, on two CPU cores.

It is trained with L1 alone, then with a discriminator. README.md in this
folder has the results and times.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4_1xb16-2k_photographs-64x64.py
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_kl-f4_1xb16-2k_photographs-64x64.py \
       work_dirs/autoencoder_kl-f4_1xb16-2k_photographs-64x64
"""

_base_ = [
    '../_base_/autoencoder_kl-f4-gan_small.py',
    '../_base_/datasets/photographs.py',
]
model = dict(autoencoder=dict(image_skip=True))
train_dataloader = dict(global_batch_size=16)
