_base_ = './image-folder_64x64.py'

val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SampleRequests',
        num_samples=16,
        size=(64, 64),
        pipeline=[dict(type='PackInputs')]))
# No metric here: look at the pictures, or add one to test_evaluator.
val_evaluator = []
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SampleRequests',
        num_samples=64,
        size=(64, 64),
        pipeline=[dict(type='PackInputs')]))
test_evaluator = []
