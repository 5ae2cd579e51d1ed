"""Class-conditional LDM-1 of ImageNet: diffusion of pixels.

Rombach et al. 2022, section 4.1 and table 13; not released.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_identity_class_1xb7-2000k_imagenet-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_identity_class_1xb7-2000k_imagenet-256x256 --label 207
"""

_base_ = [
    '../_base_/models/ldm_identity.py',
    '../_base_/class_imagenet_256x256.py',
]
model = {{_base_.class_conditional}}
train_dataloader = dict(global_batch_size=7)

optim_wrapper = dict(optimizer=dict(lr=4.9e-5))
