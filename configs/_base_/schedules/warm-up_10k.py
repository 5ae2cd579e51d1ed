# The learning rate rises from a millionth of its value, as in the original's
# files.
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, end=10_000)
]
