_base_ = './fashion-mnist_32x32.py'

# Generated clothes: ten of each class while training, and one for each of
# 2,000 held-out images in a test, with its class.
val_dataloader = dict(
    batch_size=100,
    dataset=dict(
        _delete_=True,
        type='GenerationRequests',
        num_samples=100,
        num_classes=10,
        pipeline=[dict(type='PackInputs')],
    ),
)
val_evaluator = []
test_dataloader = dict(batch_size=100, dataset=dict(indices=2000))
test_evaluator = [
    dict(
        type='GeneratedImages',
        features=dict(type='EfficientNetLiteFeatures', side=64),
    ),
    dict(
        type='ClassifierAccuracy',
        train_dataset={{_base_.judge_set}},
        test_dataset={{_base_.test_set}},
        feature_size=16,
    ),
]
