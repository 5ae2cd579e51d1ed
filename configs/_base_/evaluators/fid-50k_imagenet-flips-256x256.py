_base_ = '../datasets/imagenet-flips_256x256.py'

# Peebles & Xie 2023, section 4: 50 images of each class. Their reference are
# statistics of ADM; here it is the training set, through its own pipeline.
test_dataloader = dict(dataset=dict(num_samples=50_000))
test_evaluator = [
    dict(type='GeneratedImages', measures=['fd', 'is', 'precision_recall'])
]
