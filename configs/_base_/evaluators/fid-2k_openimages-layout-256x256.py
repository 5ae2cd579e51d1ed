_base_ = '../datasets/openimages-layout_256x256.py'

# Rombach et al. 2022, table 9: 2,048 layouts of the validation set, against
# the images that they describe.
first = dict(
    images='validation',
    indices=2048,
    annotations=[
        dict(
            type='OpenImagesBoxes',
            file='validation-annotations-bbox.csv',
            classes='class-descriptions-boxable.csv',
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
            data_root='data/openimages',
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
