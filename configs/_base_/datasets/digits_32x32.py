# scikit-learn's handwritten digits, for quick runs anywhere.
image_size = 32
num_classes = 10

pack = [dict(type='PackInputs')]
train_set = dict(
    type='DigitsDataset', split='train', size=image_size, pipeline=pack)
test_set = dict(
    type='DigitsDataset', split='test', size=image_size, pipeline=pack)

train_dataloader = dict(
    global_batch_size=64,
    num_workers=0,
    sampler=dict(type='AddressedSampler'),
    dataset=train_set)
# What first stages reconstruct; the -requests twin of this file has what
# latent diffusion models draw.
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=test_set)
val_evaluator = dict(type='ReconstructionPSNR')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
