_base_ = './image-folder-requests.py'

# A folder of images for each class. Set num_classes of the requests to the
# number of folders.
train_dataloader = dict(dataset=dict(annotations=[dict(type='FolderClasses')]))
