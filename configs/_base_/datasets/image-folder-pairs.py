_base_ = './image-pairs.py'

# Images with conditions in one folder. One image in twenty is held out.
train_dataloader = dict(num_workers=2, dataset=dict(split='train'))
val_dataloader = dict(
    batch_size=4, num_workers=0, dataset=dict(split='val', indices=16)
)
test_dataloader = dict(batch_size=4, num_workers=0, dataset=dict(split='val'))
