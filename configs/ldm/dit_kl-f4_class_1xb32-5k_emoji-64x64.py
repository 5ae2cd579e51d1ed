"""Emoji of a category, for two CPU cores.

Cache: python tools/cache_latents.py \
       configs/ldm/dit_kl-f4_class_1xb32-5k_emoji-64x64.py data/emoji-latents
Train: python tools/train.py \
       configs/ldm/dit_kl-f4_class_1xb32-5k_emoji-64x64.py \
       --cfg-options latent_cache=data/emoji-latents
Judge: python tools/test.py \
       configs/ldm/dit_kl-f4_class_1xb32-5k_emoji-64x64.py \
       work_dirs/dit_kl-f4_class_1xb32-5k_emoji-64x64
Draw:  python tools/sample.py work_dirs/dit_kl-f4_class_1xb32-5k_emoji-64x64 \
       --label 3 4 --num 8

Needs the first stage of autoencoder_kl-f4_1xb8-2500_emoji-64x64.py. Categories
0, 1, 2 ... are Activities, Animals & Nature, Component, Flags, Food & Drink,
Objects, People & Body, Smileys & Emotion, Symbols, Travel & Places.
"""

_base_ = '../_base_/dit_kl-f4_emoji_64x64.py'
model = dict(
    conditioner=dict(
        embedders=[
            dict(
                type='ClassEmbedder',
                num_classes=10,
                embed_dim=128,
                slot='vector',
            )
        ]
    )
)
# An image for every fourth emoji, with its category. The classifiers were
# fitted to 19 of 20 real emoji; the features trained the first stage, the
# pixels did not.
test_dataloader = dict(dataset=dict(indices=[*range(0, 1911, 4)]))
test_evaluator = [
    dict(
        type='ClassifierAccuracy',
        prefix='features',
        train_dataset={{_base_.judge_set}},
        test_dataset={{_base_.test_set}},
        features=dict(type='EfficientNetLiteFeatures', side=64),
    ),
    dict(
        type='ClassifierAccuracy',
        prefix='pixels',
        train_dataset={{_base_.judge_set}},
        test_dataset={{_base_.test_set}},
        feature_size=16,
    ),
]

train_cfg = dict(max_iters=5000, val_interval=1000)
