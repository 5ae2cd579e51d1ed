"""Class-conditional LDM-4 of ImageNet, with classifier-free guidance.

Rombach et al. 2022, tables 3 and 15; released as cin256-v2. Class 1000 means
'no class'; its probability is not published, 0.1 is ours. The guidance scale
is 1.5 in the table and 3 in the original's notebook.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f4_class_8xb150-178k_imagenet-256x256.py 8
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f4_class_8xb150-178k_imagenet-256x256 --label 207 \
       --scale 1.5

Needs the first stage of autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = './ldm_vq-f4_class_1xb40-2000k_imagenet-256x256.py'
model = dict(
    conditioner=dict(
        drop_prob=0.1,
        embedders=[
            dict(
                type='ClassEmbedder',
                num_classes=1001,
                embed_dim=512,
                null='last',
            )
        ],
    ),
    guidance=dict(_delete_=True, type='ClassifierFreeGuidance', scale=3.0),
)
train_dataloader = dict(global_batch_size=1200)

optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=178_000)
test_cfg = dict(sampling=dict(steps=250, guidance_scale=1.5))
