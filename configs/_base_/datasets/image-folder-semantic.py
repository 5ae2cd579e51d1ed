_base_ = './image-folder-pairs.py'

# Below the folder of the data, images in 'images', and in 'maps' the class of
# every pixel: maps/a/0.png for images/a/0.jpg.
source = dict(
    images='images', annotations=[dict(type='LabelMaps', folder='maps')]
)
train_dataloader = dict(
    dataset=dict(
        **source,
        pipeline=[
            dict(type='LoadImage'),
            dict(type='LoadLabelMap', num_classes=182),
            dict(type='ResizeShorterSide'),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    )
)
held_out = dict(
    **source,
    pipeline=[
        dict(type='LoadImage'),
        dict(type='LoadLabelMap', num_classes=182),
        dict(type='ResizeShorterSide'),
        dict(type='Crop', random=False),
        dict(type='PackInputs'),
    ],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
