# Metrics of a first stage: of each reconstruction, of the set of
# reconstructions, and of latents. LPIPS and rFID need files with weights; if
# these are missing, they are left out with a warning.
val_evaluator = [
    dict(type='ReconstructionMetrics', lpips=dict(type='LPIPS')),
    dict(type='ReconstructionFID'),
    dict(type='LatentStatistics'),
]
test_evaluator = val_evaluator
