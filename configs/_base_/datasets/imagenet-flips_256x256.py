_base_ = './imagenet_256x256.py'

# As for DiT and SiT: the middle of an image, or its mirror image.
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='ResizeShorterSide'),
            dict(type='Crop', random=False),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    ),
)
