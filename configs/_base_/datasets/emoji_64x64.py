_base_ = './image-folder.py'

# The folder that tools/dataset_converters/emoji.py writes: 1,911 pictures of
# 64x64 pixels, which are small enough to be loaded by the training itself.
train_dataloader = dict(
    num_workers=0,
    dataset=dict(
        data_root='data/emoji',
        size=64,
        pipeline=[
            dict(type='LoadImage'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    ),
)
held_out = dict(pipeline=[dict(type='LoadImage'), dict(type='PackInputs')])
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)

# Sharpness, and distances of which only the first may have trained the model.
val_evaluator = [
    dict(type='ReconstructionMetrics', lpips=dict(type='LPIPS')),
    dict(type='FeatureDistance', patches=True),
    dict(type='Sharpness'),
    dict(type='LatentStatistics'),
]
test_evaluator = val_evaluator
