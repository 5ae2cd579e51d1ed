"""Layout-to-image LDM-8 of COCO: boxes and their classes.

Rombach et al. 2022, tables 9, 15 and 17; not released. Loss and noise are
those of the released model of OpenImages.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f8_layout_1xb48-170k_coco-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f8_layout_1xb48-170k_coco-256x256 --object 0 0.1 0.2 \
       0.3 0.7 --object 16 0.5 0.5 0.4 0.4

Needs the first stage of autoencoder_vq-f8_1xb10-971k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f8.py',
    '../_base_/evaluators/fid-2k_coco-layout-256x256.py',
    '../_base_/schedules/adamw_ddim.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    denoiser=dict(
        channels=192,
        attention=dict(num_heads=1, depth=2),
        res_block=dict(dropout=0.1),
    ),
    conditioner=dict(
        embedders=[
            dict(
                type='TokenTransformer',
                tokenizer=dict(type='LayoutTokens', num_classes=80),
                embed_dim=512,
                num_layers=16,
            )
        ]
    ),
    diffusion_scheduler=dict(
        noise_schedule=dict(end=0.0205), loss_function=dict(type='L1Loss')
    ),
)
train_dataloader = dict(global_batch_size=48)

optim_wrapper = dict(optimizer=dict(lr=4.8e-5))
train_cfg = dict(max_iters=170_000)
test_cfg = dict(sampling=dict(steps=100))
