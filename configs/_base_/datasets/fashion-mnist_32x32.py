_base_ = '../evaluators/first_stage.py'

# 70,000 grey images of clothes, 28x28, in ten classes; Xiao et al. 2017
# (arXiv:1708.07747). Debian: apt-get install dataset-fashion-mnist. Elsewhere
# set train_dataloader.dataset.data_root to the folder of the four idx files.
train_set = dict(
    type='IdxImages',
    data_root='/usr/share/datasets/fashion-mnist',
    images='train-images-idx3-ubyte',
    labels='train-labels-idx1-ubyte',
    classes=[
        'T-shirt',
        'trouser',
        'pullover',
        'dress',
        'coat',
        'sandal',
        'shirt',
        'sneaker',
        'bag',
        'ankle boot',
    ],
    size=32,
    pipeline=[dict(type='ResizeShorterSide'), dict(type='PackInputs')],
)
test_set = {
    **train_set,
    'data_root': None,
    'images': 't10k-images-idx3-ubyte',
    'labels': 't10k-labels-idx1-ubyte',
}
# Enough for a classifier that judges images.
judge_set = {**train_set, 'data_root': None, 'indices': 10_000}

train_dataloader = dict(
    global_batch_size=64,
    num_workers=0,
    sampler=dict(type='AddressedSampler'),
    dataset=train_set,
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset={**test_set, 'indices': 1000},
)
test_dataloader = {**val_dataloader, 'dataset': test_set}
