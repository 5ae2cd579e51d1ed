"""Layout-to-image LDM-4 of OpenImages: boxes and their classes.

Rombach et al. 2022, tables 9, 15 and 17; released as layout2img-openimages256.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f4_layout_1xb24-4400k_openimages-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f4_layout_1xb24-4400k_openimages-256x256 --object 69 \
       0.1 0.2 0.3 0.4 --object 257 0.5 0.5 0.4 0.4

Needs the first stage of autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f4.py',
    '../_base_/evaluators/fid-2k_openimages-layout-256x256.py',
    '../_base_/schedules/adamw_ddim.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    denoiser=dict(channels=128, attention=dict(depth=3)),
    conditioner=dict(
        embedders=[
            dict(
                type='TokenTransformer',
                tokenizer=dict(type='LayoutTokens'),
                embed_dim=512,
                num_layers=16,
                logits=True,
            )
        ]
    ),
    diffusion_scheduler=dict(
        noise_schedule=dict(end=0.0205), loss_function=dict(type='L1Loss')
    ),
)
train_dataloader = dict(global_batch_size=24)

optim_wrapper = dict(optimizer=dict(lr=4.8e-5))
train_cfg = dict(max_iters=4_400_000)
test_cfg = dict(sampling=dict(steps=200))
