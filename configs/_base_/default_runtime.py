default_scope = 'mmldm'
runner_type = 'mmldm.LDMRunner'

default_hooks = dict(
    seed=dict(type='AddressedSeedHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='AtomicCheckpointHook', interval=5000, max_keep_ckpts=3
    ),
    visualization=dict(type='ImageGridHook'),
    progress=dict(type='ProgressStripHook'),
    summary=dict(type='RunSummaryHook'),
    health=dict(type='DeadRunHook'),
)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Seconds that a process waits for another one, which may be testing.
    dist_cfg=dict(backend='nccl', timeout=1800),
)
randomness = dict(seed=0)
log_processor = dict(type='ThroughputLogProcessor', by_epoch=False)
log_level = 'INFO'
visualizer = dict(
    type='mmengine.Visualizer',
    # TensorBoard's files are written where it is installed.
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
    ],
)

load_from = None
resume = False
