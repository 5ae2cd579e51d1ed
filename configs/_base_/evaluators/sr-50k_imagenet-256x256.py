_base_ = '../datasets/imagenet-sr-x4_256x256.py'

# Rombach et al. 2022, tables 5 and 11: the validation set of ImageNet. FID is
# measured against the images that were made small (val/fd), and against the
# training's crops (train/fd).
held_out = dict(
    images='val',
    annotations=[dict(type='LargeImages', min_side=256)],
    pipeline=[
        dict(type='LoadImage'),
        dict(type='CropPart', random=False),
        dict(type='ResizeShorterSide', method='opencv_area'),
        dict(type='DegradeBicubic', factor=4),
        dict(type='PackInputs', gt_img=True),
    ],
)
test_dataloader = dict(dataset=held_out)
test_evaluator = [
    dict(type='ReconstructionMetrics', prefix='sr', lpips=dict(type='LPIPS')),
    dict(
        type='GeneratedImages',
        prefix='val',
        measures=['fd', 'is'],
        reference=dict(
            type='ImageFolder',
            data_root='data/imagenet',
            size=256,
            **held_out,
        ),
    ),
    dict(type='GeneratedImages', prefix='train'),
]
