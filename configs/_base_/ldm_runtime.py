_base_ = './default_runtime.py'

# An average of the weights is tested and published, as for all published
# models.
default_hooks = dict(ema=dict(type='ModuleEMAHook', decay=0.9999))
