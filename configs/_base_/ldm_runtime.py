_base_ = './default_runtime.py'

# What is judged and kept is an average of weights, as of all published models.
default_hooks = dict(ema=dict(type='ModuleEMAHook', decay=0.9999))
