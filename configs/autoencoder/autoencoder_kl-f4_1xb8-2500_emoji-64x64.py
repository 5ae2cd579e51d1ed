"""KL-f4 autoencoder of emoji, for two CPU cores.

L1 and a perceptual loss: flat colours and sharp edges need no discriminator.
The decoder is trained for noisy latents.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4_1xb8-2500_emoji-64x64.py
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_kl-f4_1xb8-2500_emoji-64x64.py \
       work_dirs/autoencoder_kl-f4_1xb8-2500_emoji-64x64

tools/dataset_converters/emoji.py makes the data.
"""

_base_ = [
    '../_base_/models/autoencoder_kl-f4_small.py',
    '../_base_/datasets/emoji_64x64.py',
    '../_base_/schedules/adam_autoencoder_short.py',
    '../_base_/default_runtime.py',
]
model = dict(
    autoencoder=dict(latent_channels=4, starts_as_resizing=True),
    perceptual=dict(
        type='PretrainedFeatures', network=dict(type='EfficientNetLiteStages')
    ),
    perceptual_weight=0.1,
    latent_noise=0.1,
)
train_dataloader = dict(global_batch_size=8)
train_cfg = dict(max_iters=2500, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=250),
    ema=dict(type='ModuleEMAHook', decay=0.998),
)
