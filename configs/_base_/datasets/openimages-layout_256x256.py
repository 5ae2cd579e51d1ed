_base_ = './coco-layout_256x256.py'

# OpenImages with the boxes of its 601 classes.
train_dataloader = dict(
    dataset=dict(
        data_root='data/openimages',
        images='train',
        annotations=[
            dict(
                type='OpenImagesBoxes',
                file='oidv6-train-annotations-bbox.csv',
                classes='class-descriptions-boxable.csv',
                min_objects=2,
            )
        ],
    )
)
held_out = dict(
    images='validation',
    annotations=[
        dict(
            type='OpenImagesBoxes',
            file='validation-annotations-bbox.csv',
            classes='class-descriptions-boxable.csv',
            min_objects=2,
        )
    ],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
