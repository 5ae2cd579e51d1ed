_base_ = '../datasets/conceptual-captions_256x256.py'

# As in the original's README: an image for each held-out caption, against the
# held-out images.
test_dataloader = dict(dataset=dict(indices=None))
test_evaluator = [
    dict(
        type='GeneratedImages',
        measures=['fd', 'is'],
        reference=dict(
            type='ImageShards',
            data_root='data/conceptual-captions',
            size=256,
            split='val',
            pipeline={{_base_.pipeline}},
        ),
    )
]
