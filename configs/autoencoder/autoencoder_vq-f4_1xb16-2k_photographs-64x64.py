"""VQ-f4 autoencoder of real photographs, on two CPU cores.

As the KL-f4 one, with a codebook that is kept from collapse.

Train: python tools/train.py configs/autoencoder/<this file>
Judge: python tools/test.py configs/autoencoder/<this file> <work dir>
"""

_base_ = './autoencoder_kl-f4_1xb16-2k_photographs-64x64.py'
model = dict(
    autoencoder=dict(
        type='AutoencoderVQ',
        latent_channels=8,
        quantizer=dict(
            type='VectorQuantizer',
            num_codes=2048,
            ema_decay=0.99,
            kmeans_init=True,
            revive_after=50,
        ),
    ),
    regularization_weight=1.0,
)
