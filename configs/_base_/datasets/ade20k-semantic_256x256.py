_base_ = './image-pairs.py'

# ADE20K's ADEChallengeData2016, unpacked: 150 classes, and 0 for pixels of
# no class.
train_dataloader = dict(
    dataset=dict(
        data_root='data/ade20k/ADEChallengeData2016',
        images='images/training',
        annotations=[dict(type='LabelMaps', folder='annotations/training')],
        pipeline=[
            dict(type='LoadImage'),
            dict(type='LoadLabelMap', num_classes=151),
            dict(type='ResizeShorterSide'),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    )
)
held_out = dict(
    images='images/validation',
    annotations=[dict(type='LabelMaps', folder='annotations/validation')],
    pipeline=[
        dict(type='LoadImage'),
        dict(type='LoadLabelMap', num_classes=151),
        dict(type='ResizeShorterSide'),
        dict(type='Crop', random=False),
        dict(type='PackInputs'),
    ],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
