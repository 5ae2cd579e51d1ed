_base_ = '../datasets/celebahq_256x256.py'

# Rombach et al. 2022, table 1: 50,000 images against the whole training set,
# each image once through the training's pipeline.
test_dataloader = dict(dataset=dict(num_samples=50_000))
test_evaluator = [
    dict(type='GeneratedImages', measures=['fd', 'precision_recall'])
]
