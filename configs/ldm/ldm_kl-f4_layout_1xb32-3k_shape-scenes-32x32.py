"""Scenes of shapes from boxes: layout-to-image for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_layout_1xb32-3k_shape-scenes-32x32.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_layout_1xb32-3k_shape-scenes-32x32.py \
       work_dirs/ldm_kl-f4_layout_1xb32-3k_shape-scenes-32x32
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f4_layout_1xb32-3k_shape-scenes-32x32 --object 0 0.1 \
       0.1 0.4 0.4 --object 9 0.55 0.5 0.35 0.35

Needs the first stage of autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32.py.
"""

_base_ = '../_base_/ldm_kl-f4_shape-scenes_32x32.py'
model = dict(
    conditioner=dict(
        embedders=[
            # Layouts as tokens have little effect after 1,000 iterations.
            dict(type='BoxMap', num_classes=24, embed_dim=32)
        ]
    )
)

val_evaluator = [dict(type='SceneLayout')]
test_evaluator = val_evaluator
