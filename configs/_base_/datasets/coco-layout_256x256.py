_base_ = './image-pairs.py'

# COCO 2017 with the boxes of its 80 classes.
train_dataloader = dict(
    dataset=dict(
        data_root='data/coco',
        images='train2017',
        annotations=[
            dict(
                type='CocoBoxes',
                file='annotations/instances_train2017.json',
                min_objects=2,
            )
        ],
        pipeline=[
            dict(type='LoadImage'),
            dict(type='ResizeShorterSide'),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='ChooseObjects', max_objects=30),
            dict(type='PackInputs'),
        ],
    )
)
held_out = dict(
    images='val2017',
    annotations=[
        dict(
            type='CocoBoxes',
            file='annotations/instances_val2017.json',
            min_objects=2,
        )
    ],
    pipeline=[
        dict(type='LoadImage'),
        dict(type='ResizeShorterSide'),
        dict(type='Crop', random=False),
        dict(type='ChooseObjects', max_objects=30),
        dict(type='PackInputs'),
    ],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
