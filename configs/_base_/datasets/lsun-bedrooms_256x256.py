_base_ = './lsun-churches_256x256.py'

train_dataloader = dict(dataset=dict(data_root='data/lsun/bedroom_train_lmdb'))
