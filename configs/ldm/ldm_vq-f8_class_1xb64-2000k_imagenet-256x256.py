"""Class-conditional LDM-8 of ImageNet, to compare with LDM-1 to LDM-32.

Rombach et al. 2022, section 4.1 and table 13; its attention has one head,
where the released model has heads of 32 channels.

Train and draw: as ldm_vq-f8_class_1xb64-4800k_imagenet-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f8.py',
    '../_base_/class_imagenet_256x256.py',
]
model = {{_base_.class_conditional}}
train_dataloader = dict(global_batch_size=64)

optim_wrapper = dict(optimizer=dict(lr=6.4e-5))
