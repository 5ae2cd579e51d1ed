_base_ = ['./autoencoder_kl-f4-gan_small.py', './codebook_small.py']

model = dict(
    autoencoder={{_base_.codebook}},
    regularization_weight=1.0,
    adversarial=dict(start=1200),
)
train_cfg = dict(max_iters=1500, val_interval=300)
default_hooks = dict(checkpoint=dict(interval=300))
