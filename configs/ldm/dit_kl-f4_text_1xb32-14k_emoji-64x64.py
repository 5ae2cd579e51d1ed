"""Emoji from their names: text-to-image for two CPU cores.

Cache: python tools/cache_latents.py \
       configs/ldm/dit_kl-f4_text_1xb32-14k_emoji-64x64.py data/emoji-latents
Train: python tools/train.py \
       configs/ldm/dit_kl-f4_text_1xb32-14k_emoji-64x64.py \
       --cfg-options latent_cache=data/emoji-latents
Judge: python tools/test.py \
       configs/ldm/dit_kl-f4_text_1xb32-14k_emoji-64x64.py \
       work_dirs/dit_kl-f4_text_1xb32-14k_emoji-64x64
Draw:  python tools/sample.py work_dirs/dit_kl-f4_text_1xb32-14k_emoji-64x64 \
       --prompt 'a red apple' 'smiling face with sunglasses' 'green heart' \
       'a blue apple' 'a cat with sunglasses' 'a red panda on a bicycle'

Needs the first stage of autoencoder_kl-f4_1xb8-2500_emoji-64x64.py. The test
draws every emoji by its name, and asks if the nearest real one is the right
one; --cfg-options test_dataloader.dataset.split=val draws one in twenty. The
last three prompts are names of no emoji. WordTokens knows the words of all
names, and refuses others.
"""

_base_ = ['../_base_/dit_kl-f4_emoji_64x64.py', '../_base_/emoji_words.py']
model = dict(
    conditioner=dict(
        embedders=[
            dict(
                type='TokenTransformer',
                tokenizer=dict(
                    type='WordTokens',
                    vocab={{_base_.words}},
                    max_length=12,
                    # 'A red apple' is read as 'red apple'.
                    ignored=('a', 'an', 'the'),
                ),
                embed_dim=256,
                num_layers=2,
                num_heads=4,
                # Most words occur in one name: their embeddings change
                # little, and have to be far apart from the beginning.
                init_std=1.0,
                pooled=True,
            ),
        ]
    ),
)
val_evaluator = [dict(type='NearestImage', dataset={{_base_.pictures}})]
test_evaluator = val_evaluator

train_cfg = dict(max_iters=14_000, val_interval=7000)
