"""DiT-XL/2: a class-conditional latent diffusion transformer of ImageNet.

Peebles & Xie 2023 (arXiv:2212.09748), table 1; batches of 256.
Denoiser and class embedding have 674.8 M parameters. The published 675.1 M
include a frozen table of positions, which is computed here. The variance is
learned as published; sampling does not use it.

Train: bash tools/dist_train.sh \
       configs/ldm/dit-xl-2_kl-f8_class_8xb32-7000k_imagenet-256x256.py 8
Draw:  python tools/sample.py \
       work_dirs/dit-xl-2_kl-f8_class_8xb32-7000k_imagenet-256x256 --label 207

Needs the first stage of autoencoder_kl-f8_1xb4-247k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_kl-f8.py',
    '../_base_/evaluators/fid-50k_imagenet-flips-256x256.py',
    '../_base_/schedules/adamw.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    autoencoder=dict(latent_scale=0.18215),
    denoiser=dict(_delete_=True, type='DiffusionTransformer'),
    conditioner=dict(
        class_names='imagenet',
        drop_prob=0.1,
        embedders=[
            dict(
                type='ClassEmbedder',
                num_classes=1000,
                embed_dim=1152,
                slot='vector',
            )
        ],
    ),
    diffusion_scheduler=dict(
        noise_schedule=dict(_delete_=True, type='LinearBetas'),
        variance=dict(type='LearnedVariance'),  # two outputs per channel
    ),
    guidance=dict(_delete_=True, type='ClassifierFreeGuidance', scale=1.5),
)
train_dataloader = dict(global_batch_size=256)

optim_wrapper = dict(optimizer=dict(lr=1e-4, weight_decay=0.0))
train_cfg = dict(max_iters=7_000_000)
test_cfg = dict(sampling=dict(solver=dict(type='DDIM', eta=1.0), steps=250))
