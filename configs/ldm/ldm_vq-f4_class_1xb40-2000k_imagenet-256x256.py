"""Class-conditional LDM-4 of ImageNet, to compare with LDM-1 to LDM-32.

Rombach et al. 2022, section 4.1 and table 13; the released model's network.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f4_class_1xb40-2000k_imagenet-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f4_class_1xb40-2000k_imagenet-256x256 --label 207

Needs the first stage of autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f4_192-channels.py',
    '../_base_/class_imagenet_256x256.py',
]
model = {{_base_.class_conditional}}
train_dataloader = dict(global_batch_size=40)

optim_wrapper = dict(optimizer=dict(lr=8e-5))
