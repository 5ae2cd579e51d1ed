_base_ = './autoencoder_kl-f4-sharp_small.py'

# The codebook of autoencoder_vq-f4-gan_small.py.
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
)
