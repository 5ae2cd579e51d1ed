# Any folder of images. Generated images are judged by nothing but the eye
# here: add a metric to test_evaluator.
image_size = 256
data_root = 'data/images'

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeShorterSide', size=image_size),
    dict(type='Crop', size=image_size, random=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs')
]
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='AddressedSampler'),
    dataset=dict(
        type='ImageFolder', data_root=data_root, pipeline=train_pipeline))
