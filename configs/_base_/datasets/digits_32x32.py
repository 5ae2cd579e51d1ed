_base_ = '../evaluators/first_stage.py'

# scikit-learn's handwritten digits, for quick runs anywhere.
train_set = dict(
    type='DigitsDataset',
    split='train',
    size=32,
    pipeline=[dict(type='PackInputs')],
)
test_set = {**train_set, 'split': 'test'}

train_dataloader = dict(
    global_batch_size=64,
    num_workers=0,
    sampler=dict(type='AddressedSampler'),
    dataset=train_set,
)
# Images that first stages reconstruct. The requests of latent diffusion models
# are in digits-requests_32x32.py.
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=test_set,
)
test_dataloader = val_dataloader
