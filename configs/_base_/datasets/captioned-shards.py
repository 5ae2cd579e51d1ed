# Images and their captions in tar files, as img2dataset writes them for LAION
# and Conceptual Captions. One image in twenty is held out.
pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeShorterSide'),
    dict(type='Crop', random=False),
    dict(type='ChooseCaption'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    num_workers=8,
    sampler=dict(type='AddressedSampler'),
    dataset=dict(
        type='ImageShards',
        data_root='data/shards',
        size=256,
        split='train',
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    # Folder and size are those of the training data.
    dataset=dict(
        type='ImageShards',
        split='val',
        indices=64,
        pipeline=pipeline,
    ),
)
test_dataloader = val_dataloader
# No metric by default: look at the images, or add one to test_evaluator.
val_evaluator = []
test_evaluator = []
