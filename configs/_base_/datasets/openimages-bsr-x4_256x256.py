_base_ = './imagenet-sr-x4_256x256.py'

# As for bsr_sr: crops of OpenImages, lightly degraded by BSRGAN.
degrade = dict(type='DegradeBSRGAN', factor=4, strength='light')
train_dataloader = dict(
    dataset=dict(
        data_root='data/openimages',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='CropPart', min_part=0.5, max_part=1.0, random=True),
            dict(type='ResizeShorterSide', method='opencv_area'),
            degrade,
            dict(type='PackInputs'),
        ],
    )
)
held_out = dict(
    images='validation',
    pipeline=[
        dict(type='LoadImage'),
        dict(type='CropPart', random=False),
        dict(type='ResizeShorterSide', method='opencv_area'),
        degrade,
        dict(type='PackInputs'),
    ],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
