_base_ = './adam_autoencoder.py'

# As adamw_small.py.
optim_wrapper = dict(optimizer=dict(betas=(0.9, 0.99)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50),
]
