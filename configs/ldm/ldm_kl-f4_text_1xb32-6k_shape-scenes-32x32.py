"""Scenes of shapes from captions: text-to-image for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_text_1xb32-6k_shape-scenes-32x32.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_text_1xb32-6k_shape-scenes-32x32.py \
       work_dirs/ldm_kl-f4_text_1xb32-6k_shape-scenes-32x32
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f4_text_1xb32-6k_shape-scenes-32x32 --prompt \
       'a red circle and a blue square'

Needs the first stage of autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32.py.
"""

_base_ = '../_base_/ldm_kl-f4_shape-scenes_32x32.py'
model = dict(
    denoiser=dict(
        channel_mults=(1, 2),
        # Without attention at 8x8, captions have little effect after 700
        # iterations.
        attn_factors=(1, 2),
    ),
    conditioner=dict(
        embedders=[
            dict(
                type='TokenTransformer',
                tokenizer=dict(
                    type='WordTokens',
                    vocab={{_base_.scene_words}},
                    max_length=10,
                ),
                embed_dim=128,
                num_layers=1,
                num_heads=4,
                head_channels=32,
                # With 0.02, it does not learn in this time which colour
                # belongs to which shape.
                init_std=1.0,
            )
        ]
    ),
)

val_evaluator = [dict(type='SceneCaption')]
test_evaluator = val_evaluator

train_cfg = dict(max_iters=6000)
