"""Scenes of up to three shapes from captions, for two CPU cores.

Cache: python tools/cache_latents.py \
       configs/ldm/dit_kl-f4_text_1xb32-14k_shape-scenes-64x64.py \
       work_dirs/latents_shape-scenes-64x64 --dtype float16
Train: python tools/train.py \
       configs/ldm/dit_kl-f4_text_1xb32-14k_shape-scenes-64x64.py \
       --cfg-options latent_cache=work_dirs/latents_shape-scenes-64x64
Judge: python tools/test.py \
       configs/ldm/dit_kl-f4_text_1xb32-14k_shape-scenes-64x64.py \
       work_dirs/dit_kl-f4_text_1xb32-14k_shape-scenes-64x64
Draw:  python tools/sample.py \
       work_dirs/dit_kl-f4_text_1xb32-14k_shape-scenes-64x64 --prompt \
       'a red circle, a blue square and a green cross'

Needs the first stage of autoencoder_kl-f4_1xb8-2k_shape-scenes-64x64.py.
"""

_base_ = [
    '../_base_/ldm_kl-f4_shape-scenes_64x64.py',
    '../_base_/transformer_small.py',
]
model = dict(
    # Where an object will be is decided by its noise over all its latent
    # positions together: between 0.88 and 0.96 of the time. A density with
    # mean 0 and deviation 1 has 2 % of its times there, this one 20 %.
    diffusion_scheduler=dict(
        timestep_sampler=dict(mean=1.2, std=1.2), num_steps=50
    ),
    denoiser={{_base_.transformer}},
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
                num_layers=2,
                num_heads=4,
                head_channels=32,
                # With 0.02, it does not learn in this time which colour
                # belongs to which shape.
                init_std=1.0,
            )
        ]
    ),
)

optim_wrapper = dict(type='AutocastOptimWrapper', clip_grad=dict(max_norm=1.0))

val_evaluator = [dict(type='SceneCaption')]
test_evaluator = val_evaluator

train_cfg = dict(max_iters=14_000, val_interval=7000)
