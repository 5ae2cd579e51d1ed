# Drawn scenes of one to three shapes. They need no files, and generated scenes
# can be checked.
train_dataloader = dict(
    global_batch_size=32,
    num_workers=0,
    sampler=dict(type='AddressedSampler'),
    dataset=dict(
        type='ShapeScenes',
        split='train',
        size=32,
        num_samples=100_000,
        pipeline=[dict(type='PackInputs')],
    ),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ShapeScenes',
        split='val',
        num_samples=100,
        pipeline=[dict(type='PackInputs')],
    ),
)
test_dataloader = dict(
    batch_size=100,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ShapeScenes',
        split='val',
        num_samples=500,
        pipeline=[dict(type='PackInputs')],
    ),
)
# For the reconstructions of a first stage; diffusion models have other
# metrics.
val_evaluator = [
    dict(type='ReconstructionMetrics'),
    dict(type='LatentStatistics'),
    dict(type='SceneCaption'),
    dict(type='SceneLayout'),
    dict(type='SceneMap'),
]
test_evaluator = val_evaluator
