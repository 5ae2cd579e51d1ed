_base_ = './digits_32x32.py'

requests = dict(
    type='GenerationRequests',
    num_samples=100,
    num_classes=10,
    pipeline=[dict(type='PackInputs')],
)
val_dataloader = dict(batch_size=100, dataset=dict(_delete_=True, **requests))
val_evaluator = []
test_dataloader = dict(
    batch_size=125, dataset={**requests, '_delete_': True, 'num_samples': 1000}
)
test_evaluator = dict(
    _delete_=True,
    type='ClassifierAccuracy',
    train_dataset={{_base_.train_set}},
    test_dataset={{_base_.test_set}},
)
