"""Unconditional latent diffusion of your own images of any shape, on a CPU.

Images keep their proportions: each is cut to one of five sizes of nearly the
area of 64x64 pixels, from 48x80 to 80x48, and every batch has one of them.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_1xb32-2k_image-buckets-64x64.py --cfg-options \
       train_dataloader.dataset.data_root=FOLDER
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f4_1xb32-2k_image-buckets-64x64 --size 48x80

Needs the first stage of autoencoder_kl-f4_1xb16-1k_images-64x64.py.
"""

_base_ = './ldm_kl-f4_1xb32-2k_images-64x64.py'
train_dataloader = dict(
    dataset=dict(buckets=dict(type='AspectBuckets', step=8))
)
