_base_ = './photographs-ldm.py'

# Photographs, and the same ones at a quarter of the size.
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='RandomDownscale', min_scale=0.4),
            dict(type='Crop', random=True),
            dict(type='RandomChannelOrder'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='DegradeBicubic', factor=4),
            dict(type='PackInputs'),
        ]
    )
)
pipeline = [
    dict(type='DegradeBicubic', factor=4),
    dict(type='PackInputs', gt_img=True),
]
val_dataloader = dict(dataset=dict(pipeline=pipeline))
# Eight samples of each image; metrics use their mean.
test_dataloader = dict(dataset=dict(pipeline=pipeline, samples_per_entry=8))
