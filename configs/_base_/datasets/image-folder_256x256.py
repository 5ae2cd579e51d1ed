# Any folder of images. Every twentieth is held out for validation.
image_size = 256

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeShorterSide', size=image_size),
    dict(type='Crop', size=image_size, random=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs')
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeShorterSide', size=image_size),
    dict(type='Crop', size=image_size, random=False),
    dict(type='PackInputs')
]
train_dataloader = dict(
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='AddressedSampler'),
    dataset=dict(
        type='ImageFolder',
        data_root='data/images',
        split='train',
        pipeline=train_pipeline))
# What first stages reconstruct; the -requests twin of this file has what
# latent diffusion models draw.
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ImageFolder',
        data_root=None,  # the training's
        split='val',
        pipeline=val_pipeline))
val_evaluator = dict(type='ReconstructionPSNR')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
