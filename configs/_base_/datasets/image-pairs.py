# Images with conditions, in a folder for training and one for validation. A
# model generates images for the conditions of the latter.
train_dataloader = dict(
    num_workers=8,
    sampler=dict(type='AddressedSampler'),
    dataset=dict(type='ImageFolder', data_root='data/images', size=256),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    # Folder and size are those of the training data.
    dataset=dict(type='ImageFolder', indices=64),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ImageFolder'),
)
# No metric by default: look at the images, or add one to test_evaluator.
val_evaluator = []
test_evaluator = []
