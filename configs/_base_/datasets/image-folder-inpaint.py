_base_ = './image-folder-pairs.py'

# Any folder of images; the holes are drawn.
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='ResizeShorterSide'),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='RandomMask', presets=['training']),
            dict(type='PackInputs', gt_img=True),
        ],
    )
)
held_out = dict(
    pipeline=[
        dict(type='LoadImage'),
        dict(type='ResizeShorterSide'),
        dict(type='Crop', random=False),
        dict(type='RandomMask'),
        dict(type='PackInputs', gt_img=True),
    ],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
