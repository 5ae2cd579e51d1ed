"""Larger scenes of shapes from boxes, for two CPU cores.

Cache: python tools/cache_latents.py \
       configs/ldm/ldm_kl-f4_layout_1xb32-2k_shape-scenes-64x64.py \
       work_dirs/latents_shape-scenes-64x64 --dtype float16
Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_layout_1xb32-2k_shape-scenes-64x64.py \
       --cfg-options latent_cache=work_dirs/latents_shape-scenes-64x64
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_layout_1xb32-2k_shape-scenes-64x64.py \
       work_dirs/ldm_kl-f4_layout_1xb32-2k_shape-scenes-64x64
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f4_layout_1xb32-2k_shape-scenes-64x64 --object 0 0.1 \
       0.1 0.4 0.4 --object 9 0.55 0.5 0.35 0.35

Needs the first stage of autoencoder_kl-f4_1xb8-2k_shape-scenes-64x64.py.
"""

_base_ = '../_base_/ldm_kl-f4_shape-scenes_64x64.py'
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
