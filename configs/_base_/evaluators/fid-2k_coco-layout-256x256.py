_base_ = '../datasets/coco-layout_256x256.py'

# As for OpenImages: see fid-2k_openimages-layout-256x256.py.
first = dict(
    images='val2017',
    indices=2048,
    annotations=[
        dict(
            type='CocoBoxes',
            file='annotations/instances_val2017.json',
            min_objects=2,
        )
    ],
)
test_dataloader = dict(dataset=first)
test_evaluator = [
    dict(
        type='GeneratedImages',
        reference=dict(
            type='ImageFolder',
            data_root='data/coco',
            size=256,
            pipeline=[
                dict(type='LoadImage'),
                dict(type='ResizeShorterSide'),
                dict(type='Crop', random=False),
                dict(type='PackInputs'),
            ],
            **first,
        ),
    )
]
