_base_ = './adamw.py'

# For weights that are trained already. The rate is a tenth of the usual one;
# the warm-up lets Adam measure gradients before it makes whole steps.
optim_wrapper = dict(optimizer=dict(lr=1e-5))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=100)
]
train_cfg = dict(max_iters=10_000, val_interval=1000)
