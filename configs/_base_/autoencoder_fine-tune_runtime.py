_base_ = './default_runtime.py'

default_hooks = dict(
    checkpoint=dict(interval=1000),
    ema=dict(type='ModuleEMAHook', decay=0.999),
)
