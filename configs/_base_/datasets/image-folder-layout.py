_base_ = './image-folder-pairs.py'

# Below the folder of the data, images in 'images', and their boxes in
# 'instances.json', a file such as COCO's.
source = dict(
    images='images',
    annotations=[dict(type='CocoBoxes', file='instances.json')],
)
train_dataloader = dict(
    dataset=dict(
        **source,
        pipeline=[
            dict(type='LoadImage'),
            dict(type='ResizeShorterSide'),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='ChooseObjects'),
            dict(type='PackInputs'),
        ],
    )
)
held_out = dict(
    **source,
    pipeline=[
        dict(type='LoadImage'),
        dict(type='ResizeShorterSide'),
        dict(type='Crop', random=False),
        dict(type='ChooseObjects'),
        dict(type='PackInputs'),
    ],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
