"""Class-conditional LDM-8 of ImageNet.

Rombach et al. 2022, table 10; released as cin256. It has no null condition:
the paper guides it by a classifier.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f8_class_1xb64-4800k_imagenet-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f8_class_1xb64-4800k_imagenet-256x256 --label 207

Needs the first stage of autoencoder_vq-f8_1xb10-971k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f8.py',
    '../_base_/class_imagenet_256x256.py',
]
model = dict(conditioner={{_base_.class_conditional.conditioner}})
train_dataloader = dict(global_batch_size=64)

optim_wrapper = dict(optimizer=dict(lr=6.4e-5))
train_cfg = dict(max_iters=4_800_000)
test_cfg = dict(sampling=dict(steps=200))
