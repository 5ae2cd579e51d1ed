_base_ = './photographs-ldm.py'

# Photographs with holes. There is little augmentation, as the held-out ones
# have none.
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='RandomDownscale', min_scale=0.9),
            dict(type='Crop', random=True),
            dict(type='RandomChannelOrder'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='RandomMask'),
            dict(type='PackInputs', gt_img=True),
        ]
    )
)
pipeline = [dict(type='RandomMask'), dict(type='PackInputs', gt_img=True)]
val_dataloader = dict(dataset=dict(pipeline=pipeline))
# Eight samples of each image; metrics use their mean.
test_dataloader = dict(dataset=dict(pipeline=pipeline, samples_per_entry=8))
