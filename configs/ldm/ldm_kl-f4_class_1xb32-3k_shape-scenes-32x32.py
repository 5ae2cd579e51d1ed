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

_base_ = '../_base_/ldm_kl-f4_shape-scenes_32x32.py'
model = dict(
    conditioner=dict(
        embedders=[
            dict(
                type='ClassEmbedder',
                num_classes=24,
                embed_dim=128,
                slot='vector',
            )
        ]
    )
)
train_dataloader = dict(dataset=dict(max_objects=1))
val_dataloader = dict(dataset=dict(max_objects=1))
test_dataloader = dict(dataset=dict(max_objects=1))

val_evaluator = [dict(type='SceneClass')]
test_evaluator = val_evaluator
