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
