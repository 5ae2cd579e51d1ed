_base_ = './autoencoder_kl-f4-gan_small.py'

# First stages whose reconstructions keep detail, and whose latents tolerate
# noise, for two CPU cores; a config adds the data.
model = dict(
    perceptual=dict(
        type='PretrainedFeatures', network=dict(type='EfficientNetLiteStages')
    ),
    perceptual_weight=0.1,
    adversarial=dict(
        discriminator=dict(channels=48, num_layers=2),
        weight=0.8,
        start=300,
        lead=200,
        ramp=300,
    ),
    latent_noise=0.15,
)
param_scheduler = dict(
    autoencoder=[
        dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
        dict(
            type='CosineAnnealingLR',
            by_epoch=False,
            begin=50,
            end=3000,
            eta_min=2e-5,
        ),
    ]
)
train_cfg = dict(max_iters=3000, val_interval=1000)
