"""Class-conditional LDM-16 of ImageNet.

Rombach et al. 2022, section 4.1 and table 13; not released.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f16_class_1xb112-2000k_imagenet-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f16_class_1xb112-2000k_imagenet-256x256 --label 207

Needs the first stage of autoencoder_vq-f16_1xb14-1101k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f16.py',
    '../_base_/datasets/imagenet_256x256.py',
    '../_base_/schedules/adamw.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_vq-f16_1xb14-1101k_images-256x256',
    denoiser=dict(
        attention=dict(num_heads=1),
    ),
    conditioner=dict(
        embedders=[
            dict(
                type='ClassEmbedder',
                num_classes=1000,
                embed_dim=512,
                null='none',
            )
        ]
    ),
)
train_dataloader = dict(global_batch_size=112)

optim_wrapper = dict(optimizer=dict(lr=4.5e-5))
train_cfg = dict(max_iters=2_000_000)
