"""Scenes of shapes from boxes: layout-to-image for two CPU cores.

Train: python tools/train.py configs/ldm/<this file>
Judge: python tools/test.py configs/ldm/<this file> <work dir>
Draw:  python tools/sample.py <work dir> \
       --object 0 0.1 0.1 0.4 0.4 --object 9 0.55 0.5 0.35 0.35

Needs the first stage of autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32.py.
"""

_base_ = './ldm_kl-f4_text_1xb32-6k_shape-scenes-32x32.py'
model = dict(
    conditioner=dict(
        embedders=[
            dict(
                type='BoxEmbedder',
                num_classes=24,
                embed_dim=128,
                max_objects=3,
                hidden_dim=256,
            )
        ]
    )
)

val_evaluator = [dict(type='SceneLayout')]
test_evaluator = val_evaluator

param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=3000),
]
train_cfg = dict(max_iters=3000)
