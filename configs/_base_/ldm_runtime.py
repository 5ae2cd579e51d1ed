_base_ = './default_runtime.py'

# Of all published models: what is judged and kept is an average of weights.
custom_hooks = [
    dict(type='AddressedSeedHook'),
    dict(type='ModuleEMAHook', decay=0.9999),
]
