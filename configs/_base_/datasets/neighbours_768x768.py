_base_ = './image-pairs.py'

# Photographs in 'images', and in 'neighbours' an array for each, for example
# (4, 768): CLIP embeddings, of norm 1, of similar images. One image in twenty
# is held out.
source = dict(
    images='images',
    annotations=[dict(type='FeatureFiles', folder='neighbours')],
)
load = [
    dict(type='LoadImage'),
    dict(type='LoadFeatures'),
    dict(type='ResizeShorterSide'),
]
train_dataloader = dict(
    dataset=dict(
        **source,
        data_root='data/photographs',
        size=768,
        split='train',
        pipeline=[
            *load,
            dict(type='Crop', random=True),
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
