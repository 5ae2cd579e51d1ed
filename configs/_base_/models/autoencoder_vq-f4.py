model = dict(
    type='FirstStage',
    autoencoder=dict(
        type='AutoencoderVQ',
        latent_channels=3,
        channels=128,
        channel_mults=(1, 2, 4),
        num_res_blocks=2,
        quantizer=dict(type='VectorQuantizer', num_codes=8192),
    ),
    regularization_weight=1.0,
)
