_base_ = '../datasets/imagenet_256x256.py'

# Rombach et al. 2022, table 3: 50 images of each class against the whole
# training set, each image once through the training's pipeline.
test_dataloader = dict(dataset=dict(num_samples=50_000))
test_evaluator = [
    dict(type='GeneratedImages', measures=['fd', 'is', 'precision_recall'])
]
