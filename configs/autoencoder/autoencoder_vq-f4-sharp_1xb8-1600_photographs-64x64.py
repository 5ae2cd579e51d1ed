"""VQ-f4 autoencoder of real photographs that keeps their detail.

Like the KL-f4 one, but with a codebook and remedies against its collapse.

Train: python tools/train.py \
  configs/autoencoder/autoencoder_vq-f4-sharp_1xb8-1600_photographs-64x64.py
Judge: python tools/test.py \
  configs/autoencoder/autoencoder_vq-f4-sharp_1xb8-1600_photographs-64x64.py \
  work_dirs/autoencoder_vq-f4-sharp_1xb8-1600_photographs-64x64
"""

_base_ = [
    '../_base_/autoencoder_vq-f4-sharp_small.py',
    '../_base_/datasets/photographs-wallpapers.py',
]
# Without RandomChannelOrder: it would spend codes on colours that photographs
# do not have.
train_dataloader = dict(
    global_batch_size=8,
    dataset=dict(pipeline={{_base_.real_colours}}),
)
