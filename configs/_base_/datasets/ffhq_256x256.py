_base_ = './celebahq_256x256.py'

# FFHQ's folder images1024x1024, as downloaded.
train_dataloader = dict(dataset=dict(data_root='data/ffhq/images1024x1024'))
