_base_ = './adam_autoencoder.py'

# For a first stage that is trained already; as adamw_fine-tune.py.
optim_wrapper = dict(optimizer=dict(lr=1e-5))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=100)
]
train_cfg = dict(max_iters=10_000, val_interval=1000)
