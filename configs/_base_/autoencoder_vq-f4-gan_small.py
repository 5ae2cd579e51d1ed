_base_ = './autoencoder_kl-f4-gan_small.py'

# The codebook has remedies against collapse.
model = dict(
    autoencoder=dict(
        type='AutoencoderVQ',
        quantizer=dict(
            type='VectorQuantizer',
            num_codes=1024,
            ema_decay=0.99,
            kmeans_init=True,
            revive_after=20,
        ),
        image_skip=True,
    ),
    regularization_weight=1.0,
    adversarial=dict(start=1200),
)
train_cfg = dict(max_iters=1500, val_interval=300)
default_hooks = dict(checkpoint=dict(interval=300))
