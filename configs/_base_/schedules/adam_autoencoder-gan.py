# Autoencoder and discriminator have one optimizer each.
optim_wrapper = dict(
    constructor='mmagic.MultiOptimWrapperConstructor',
    autoencoder=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=1e-4, betas=(0.5, 0.9)),
    ),
    adversarial=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=1e-4, betas=(0.5, 0.9)),
    ),
)
train_cfg = dict(
    type='AddressedTrainLoop', max_iters=500_000, val_interval=5000
)
val_cfg = dict()
test_cfg = dict()
