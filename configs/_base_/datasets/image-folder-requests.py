_base_ = './image-folder.py'

requests = dict(
    type='GenerationRequests',
    num_samples=64,
    pipeline=[dict(type='PackInputs')],
)
val_dataloader = dict(dataset=dict(_delete_=True, **requests))
# No metric by default: look at the images, or add one to test_evaluator.
val_evaluator = []
test_dataloader = dict(dataset=dict(_delete_=True, **requests))
test_evaluator = []
