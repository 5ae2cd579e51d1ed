"""Class-conditional LDM-4 of ImageNet, to compare with LDM-1 to LDM-32.

Rombach et al. 2022, section 4.1 and table 13; the released model's network.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f4_class_1xb40-2000k_imagenet-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f4_class_1xb40-2000k_imagenet-256x256 --label 207

Needs the first stage of autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f4.py',
    '../_base_/datasets/imagenet_256x256.py',
    '../_base_/schedules/adamw.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_vq-f4_1xb8-533k_images-256x256',
    denoiser=dict(
        channels=192,
        channel_mults=(1, 2, 3, 5),
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
train_dataloader = dict(global_batch_size=40)

optim_wrapper = dict(optimizer=dict(lr=8e-5))
train_cfg = dict(max_iters=2_000_000)
