"""Scenes of shapes from semantic maps, for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_semantic_1xb32-3k_shape-scenes-32x32.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_semantic_1xb32-3k_shape-scenes-32x32.py \
       work_dirs/ldm_kl-f4_semantic_1xb32-3k_shape-scenes-32x32
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f4_semantic_1xb32-3k_shape-scenes-32x32 --map map.png

Needs the first stage of autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32.py.
"""

_base_ = '../_base_/ldm_kl-f4_shape-scenes_32x32.py'
model = dict(
    conditioner=dict(
        embedders=[
            # One class for the background and 24 for objects.
            dict(type='SemanticMap', num_classes=25, embed_dim=32)
        ]
    )
)

val_evaluator = [dict(type='SceneMap')]
test_evaluator = val_evaluator
