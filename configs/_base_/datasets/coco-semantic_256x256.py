_base_ = './ade20k-semantic_256x256.py'

# COCO 2017 with COCO-Stuff's maps of 182 classes; 255, no class, becomes 0.
load_map = dict(type='LoadLabelMap', num_classes=183, shift=1, ignored=255)
train_dataloader = dict(
    dataset=dict(
        data_root='data/coco',
        images='train2017',
        annotations=[
            dict(type='LabelMaps', folder='stuffthingmaps/train2017')
        ],
        pipeline=[
            dict(type='LoadImage'),
            load_map,
            dict(type='ResizeShorterSide'),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    )
)
held_out = dict(
    images='val2017',
    annotations=[dict(type='LabelMaps', folder='stuffthingmaps/val2017')],
    pipeline=[
        dict(type='LoadImage'),
        load_map,
        dict(type='ResizeShorterSide'),
        dict(type='Crop', random=False),
        dict(type='PackInputs'),
    ],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
