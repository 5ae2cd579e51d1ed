"""Class-conditional LDM-2 of ImageNet.

Rombach et al. 2022, section 4.1 and table 13; not released.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f2_class_1xb9-2000k_imagenet-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f2_class_1xb9-2000k_imagenet-256x256 --label 207

Needs the first stage of autoencoder_vq-f2_1xb8-533k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f2.py',
    '../_base_/class_imagenet_256x256.py',
]
model = {{_base_.class_conditional}}
train_dataloader = dict(global_batch_size=9)

optim_wrapper = dict(optimizer=dict(lr=6.3e-5))
