_base_ = '../evaluators/first_stage.py'

# Any folder of images, cropped to squares of one size. One image in twenty is
# held out for validation.
train_dataloader = dict(
    num_workers=2,
    sampler=dict(type='AddressedSampler'),
    dataset=dict(
        type='ImageFolder',
        data_root='data/images',
        size=256,
        split='train',
        pipeline=[
            # Large photographs are decoded at a half of their size, or less.
            dict(type='LoadImage', oversampling=2),
            dict(type='ResizeShorterSide'),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    ),
)
# Images that first stages reconstruct. The requests of latent diffusion models
# are in image-folder-requests.py. Folder and size are those of the training
# data.
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ImageFolder',
        split='val',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='ResizeShorterSide'),
            dict(type='Crop', random=False),
            dict(type='PackInputs'),
        ],
    ),
)
test_dataloader = val_dataloader
