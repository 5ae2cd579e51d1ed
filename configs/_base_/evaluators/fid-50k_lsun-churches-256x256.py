_base_ = '../datasets/lsun-churches_256x256.py'

# As for CelebA-HQ: see fid-50k_celebahq-256x256.py.
test_dataloader = dict(dataset=dict(num_samples=50_000))
test_evaluator = [
    dict(type='GeneratedImages', measures=['fd', 'precision_recall'])
]
