_base_ = './autoencoder_kl-f4-gan_small.py'

# First stages whose reconstructions keep detail, and whose latents tolerate
# noise, for two CPU cores; a config adds the data.
model = dict(
    perceptual=dict(
        type='PretrainedFeatures', network=dict(type='EfficientNetLiteStages')
    ),
    perceptual_weight=0.1,
    # It starts once colours and edges are right: from iteration 100, with
    # weight 0.8 and lr 4e-4 in batches of 4, the discriminator won at once,
    # and L1 rose from 0.07 to 0.10 in 300 iterations.
    adversarial=dict(
        discriminator=dict(channels=48),
        weight=0.4,
        start=1500,
        lead=200,
        ramp=500,
    ),
    latent_noise=0.1,
)
train_cfg = dict(max_iters=6000, val_interval=1000)
