_base_ = './captioned-shards.py'

train_dataloader = dict(dataset=dict(data_root='data/conceptual-captions'))
