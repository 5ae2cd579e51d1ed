_base_ = './photographs.py'

# For models that generate photographs. Validation has every fourth held-out
# tile.
train_dataloader = dict(global_batch_size=32, num_workers=1)
val_dataloader = dict(batch_size=36, dataset=dict(indices=[*range(0, 142, 4)]))
test_dataloader = dict(batch_size=71)

# The distance of metrics, by a network that is installed with mmldm.
features = dict(
    type='PretrainedFeatures', network=dict(type='EfficientNetLiteStages')
)
