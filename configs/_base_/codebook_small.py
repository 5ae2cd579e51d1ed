# A codebook for two CPU cores, with remedies against collapse.
codebook = dict(
    type='AutoencoderVQ',
    quantizer=dict(
        type='VectorQuantizer',
        num_codes=1024,
        ema_decay=0.99,
        kmeans_init=True,
        revive_after=20,
    ),
    image_skip=True,
)
