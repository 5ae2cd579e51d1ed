_base_ = './photographs.py'

# More photographs, of Debian's packages.
train_dataloader = dict(dataset=dict(packages={{_base_.wallpapers}}))
