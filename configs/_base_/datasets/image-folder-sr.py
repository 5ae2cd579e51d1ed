_base_ = './image-folder-pairs.py'

# Any folder of large images; the small ones are made from their crops, with
# the light degradations of the published bsr_sr. DegradeBicubic instead of
# DegradeBSRGAN gives the paper's.
degrade = dict(type='DegradeBSRGAN', factor=4, strength='light')
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='CropPart', min_part=0.5, max_part=1.0, random=True),
            dict(type='ResizeShorterSide', method='opencv_area'),
            dict(type='Crop', random=False),
            degrade,
            dict(type='PackInputs'),
        ],
    )
)
held_out = dict(
    pipeline=[
        dict(type='LoadImage'),
        dict(type='CropPart', random=False),
        dict(type='ResizeShorterSide', method='opencv_area'),
        dict(type='Crop', random=False),
        degrade,
        dict(type='PackInputs'),
    ],
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
