_base_ = './shape-scenes_32x32.py'

# The same scenes, larger; those with two or three objects are judged.
train_dataloader = dict(dataset=dict(size=64))
val_dataloader = dict(dataset=dict(min_objects=2))
test_dataloader = dict(dataset=dict(min_objects=2))
