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
        start=250,
        lead=250,
        ramp=300,
    ),
    latent_noise=0.15,
)
train_cfg = dict(max_iters=2500, val_interval=500)
optim_wrapper = dict(adversarial=dict(optimizer=dict(lr=4e-4)))
