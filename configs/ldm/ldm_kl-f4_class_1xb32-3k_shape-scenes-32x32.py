"""One coloured shape of a given class, for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_class_1xb32-3k_shape-scenes-32x32.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_class_1xb32-3k_shape-scenes-32x32.py \
       work_dirs/ldm_kl-f4_class_1xb32-3k_shape-scenes-32x32
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f4_class_1xb32-3k_shape-scenes-32x32 --label 3

Needs the first stage of autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32.py.
"""

_base_ = './ldm_kl-f4_text_1xb32-6k_shape-scenes-32x32.py'
model = dict(
    denoiser=dict(
        channel_mults=(2, 2),
        attn_factors=(2,),
    ),
    conditioner=dict(
        embedders=[
            dict(
                type='ClassEmbedder',
                num_classes=24,
                embed_dim=128,
                slot='vector',
            )
        ]
    ),
)
train_dataloader = dict(dataset=dict(max_objects=1))
val_dataloader = dict(dataset=dict(max_objects=1))
test_dataloader = dict(dataset=dict(max_objects=1))

val_evaluator = [dict(type='SceneClass')]
test_evaluator = val_evaluator

param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=3000),
]
train_cfg = dict(max_iters=3000)
