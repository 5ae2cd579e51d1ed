_base_ = '../datasets/captioned-shards.py'

# Rombach et al. 2022, table 2: an image for a caption of each of 30,000 images
# of COCO's val2014, against these images. The paper chose the images at
# random; these are the first ones. A fixed seed chooses the caption.
source = dict(
    type='ImageFolder',
    data_root='data/coco',
    images='val2014',
    indices=30_000,
    annotations=[
        dict(type='CocoCaptions', file='annotations/captions_val2014.json')
    ],
    pipeline={{_base_.pipeline}},
    size=256,
)
test_dataloader = dict(dataset=dict(_delete_=True, **source))
test_evaluator = [
    dict(type='GeneratedImages', reference=source, measures=['fd', 'is'])
]
