_base_ = './image-pairs.py'

# Photographs of landscapes in 'images', and in 'maps' the class of every
# pixel, one of COCO-Stuff's 182. Crops are cut out of images whose shorter
# side has 384 pixels (Rombach et al. 2022, section 4.3.2). One image in twenty
# is held out.
source = dict(
    images='images', annotations=[dict(type='LabelMaps', folder='maps')]
)
load = [
    dict(type='LoadImage'),
    dict(type='LoadLabelMap', num_classes=182),
    dict(type='ResizeShorterSide', ratio=1.5),
]
train_dataloader = dict(
    dataset=dict(
        **source,
        data_root='data/landscapes',
        split='train',
        pipeline=[
            *load,
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    )
)
held_out = dict(
    **source,
    split='val',
    pipeline=[*load, dict(type='Crop', random=False), dict(type='PackInputs')],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
