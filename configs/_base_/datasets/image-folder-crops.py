_base_ = './image-folder.py'

# As the published first stages: a crop of a larger image, which shows more of
# the detail that they are to keep than the whole image made smaller.
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='ResizeShorterSide', size=384),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ]
    )
)
