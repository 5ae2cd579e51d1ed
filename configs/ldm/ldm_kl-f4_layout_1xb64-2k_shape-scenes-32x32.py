"""Scenes of shapes from boxes: layout-to-image for two CPU cores.

Train: python tools/train.py configs/ldm/<this file>
Judge: python tools/test.py configs/ldm/<this file> <work dir>

Needs the first stage of autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32.py.
"""

_base_ = './ldm_kl-f4_text_1xb64-2k_shape-scenes-32x32.py'
model = dict(
    conditioner=dict(
        embedders=[
            dict(
                type='TokenTransformer',
                tokenizer=dict(
                    type='LayoutTokens',
                    num_classes=24,
                    max_objects=3,
                    vocab_size=1024,
                    crop=False,
                ),
                vocab_size=1024,
                max_length=9,
                embed_dim=128,
                num_layers=2,
                num_heads=4,
                head_channels=32,
            )
        ]
    )
)

val_evaluator = [dict(type='SceneLayout')]
test_evaluator = val_evaluator
