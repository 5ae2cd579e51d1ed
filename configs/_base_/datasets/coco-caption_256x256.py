_base_ = './image-pairs.py'

# COCO 2017 with its captions, as unpacked.
pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeShorterSide'),
    dict(type='Crop', random=False),
    dict(type='ChooseCaption'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    dataset=dict(
        data_root='data/coco',
        images='train2017',
        annotations=[
            dict(
                type='CocoCaptions', file='annotations/captions_train2017.json'
            )
        ],
        pipeline=pipeline,
    )
)
held_out = dict(
    images='val2017',
    annotations=[
        dict(type='CocoCaptions', file='annotations/captions_val2017.json')
    ],
    pipeline=pipeline,
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
