_base_ = './image-pairs.py'

# Crops of ImageNet's images, as for the published super-resolution models, and
# the same crops at a quarter of the size.
train_dataloader = dict(
    dataset=dict(
        data_root='data/imagenet',
        images='train',
        annotations=[dict(type='LargeImages', min_side=256)],
        pipeline=[
            dict(type='LoadImage'),
            dict(type='CropPart', min_part=0.5, max_part=1.0, random=True),
            dict(type='ResizeShorterSide', method='opencv_area'),
            dict(type='DegradeBicubic', factor=4),
            dict(type='PackInputs'),
        ],
    )
)
held_out = dict(
    images='val',
    annotations=[dict(type='LargeImages', min_side=256)],
    pipeline=[
        dict(type='LoadImage'),
        dict(type='CropPart', random=False),
        dict(type='ResizeShorterSide', method='opencv_area'),
        dict(type='DegradeBicubic', factor=4),
        dict(type='PackInputs'),
    ],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
