_base_ = './image-pairs.py'

# Squares of Places365-Standard with LaMa's holes, which cover at most half.
train_dataloader = dict(
    dataset=dict(
        data_root='data/places365_standard',
        images='train',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='RandomMask', presets=['training']),
            dict(type='PackInputs', gt_img=True),
        ],
    )
)
held_out = dict(
    images='val',
    pipeline=[
        dict(type='LoadImage'),
        dict(type='Crop', random=False),
        dict(type='RandomMask'),
        dict(type='PackInputs', gt_img=True),
    ],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
