"""Larger scenes of shapes from semantic maps, for two CPU cores.

Cache: python tools/cache_latents.py \
       configs/ldm/ldm_kl-f4_semantic_1xb32-2k_shape-scenes-64x64.py \
       work_dirs/latents_shape-scenes-64x64 --dtype float16
Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_semantic_1xb32-2k_shape-scenes-64x64.py \
       --cfg-options latent_cache=work_dirs/latents_shape-scenes-64x64
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_semantic_1xb32-2k_shape-scenes-64x64.py \
       work_dirs/ldm_kl-f4_semantic_1xb32-2k_shape-scenes-64x64
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f4_semantic_1xb32-2k_shape-scenes-64x64 --map map.png

Needs the first stage of autoencoder_kl-f4_1xb8-2k_shape-scenes-64x64.py.
"""

_base_ = '../_base_/ldm_kl-f4_shape-scenes_64x64.py'
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
