_base_ = './digits_32x32.py'

val_dataloader = dict(
    batch_size=100,
    dataset=dict(
        _delete_=True,
        type='SampleRequests',
        num_samples=100,
        size=(32, 32),
        num_classes=10,
        pipeline=[dict(type='PackInputs')]))
val_evaluator = []
test_dataloader = dict(
    batch_size=125,
    dataset=dict(
        _delete_=True,
        type='SampleRequests',
        num_samples=1000,
        size=(32, 32),
        num_classes=10,
        pipeline=[dict(type='PackInputs')]))
test_evaluator = dict(
    _delete_=True,
    type='ClassifierAccuracy',
    train_dataset={{_base_.train_set}},
    test_dataset={{_base_.test_set}})
