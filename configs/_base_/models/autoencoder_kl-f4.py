model = dict(
    type='FirstStage',
    autoencoder=dict(
        type='AutoencoderKL',
        latent_channels=3,
        channels=128,
        channel_mults=(1, 2, 4),
        num_res_blocks=2,
    ),
    regularization_weight=1e-6,
)
