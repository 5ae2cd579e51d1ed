_base_ = './image-folder_256x256.py'

val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SampleRequests',
        num_samples=16,
        size=(256, 256),
        pipeline=[dict(type='PackInputs')]))
# No metric here: look at the pictures, or add one to test_evaluator.
val_evaluator = []
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SampleRequests',
        num_samples=64,
        size=(256, 256),
        pipeline=[dict(type='PackInputs')]))
test_evaluator = []
