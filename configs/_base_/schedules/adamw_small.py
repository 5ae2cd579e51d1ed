_base_ = './adamw.py'

# Small models learn in few iterations. The rate rises for 100 of them, and
# falls until the training's last one.
optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.99)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100),
]
