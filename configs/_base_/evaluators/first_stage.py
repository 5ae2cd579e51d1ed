# What a first stage is judged by: its reconstructions, one by one and as a
# set, and its latents. Without their files of weights LPIPS and rFID are left
# out with a warning.
val_evaluator = [
    dict(type='ReconstructionMetrics', lpips=dict(type='LPIPS')),
    dict(type='ReconstructionFID'),
    dict(type='LatentStatistics'),
]
test_evaluator = val_evaluator
