_base_ = './autoencoder_kl-f4-gan_small.py'

# First stages whose reconstructions keep detail, and whose latents tolerate
# noise, for two CPU cores; a config adds the data.
model = dict(
    perceptual=dict(
        type='PretrainedFeatures', network=dict(type='EfficientNetLiteStages')
    ),
    perceptual_weight=0.1,
    # It starts once edges are right. A patch discriminator changes little in
    # 2,000 iterations with lr 2e-4, and spoils images with 1e-3.
    adversarial=dict(
        discriminator=dict(
            _delete_=True,
            type='FeatureDiscriminator',
            network=dict(type='EfficientNetLiteStages'),
        ),
        # Without it, reconstructions have 33 dB and less than half of the
        # gradient energy; detail that is only plausible costs PSNR.
        weight=4.0,
        start=1200,
        lead=200,
        ramp=100,
    ),
    latent_noise=0.1,
)
optim_wrapper = dict(
    autoencoder=dict(optimizer=dict(lr=1e-3)),
    adversarial=dict(optimizer=dict(lr=1e-3, betas=(0.5, 0.9))),
)
train_cfg = dict(max_iters=3200, val_interval=800)
default_hooks = dict(checkpoint=dict(interval=400))
