_base_ = './image-folder.py'

# Crops at the images' own resolution or scaled down, for small first stages.
train_dataloader = dict(
    num_workers=0,
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='RandomDownscale', min_scale=0.4),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ]
    ),
)
held_out = dict(
    pipeline=[
        dict(type='LoadImage'),
        dict(type='Crop', random=False),
        dict(type='PackInputs'),
    ]
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
