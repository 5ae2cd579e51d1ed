_base_ = './image-folder.py'

# As for the published first stages: a crop of a larger image shows more of the
# detail that they should keep than the whole image scaled down.
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='ResizeShorterSide', ratio=1.5),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ]
    )
)
