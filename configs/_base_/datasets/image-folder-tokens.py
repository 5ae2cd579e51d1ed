_base_ = './image-folder-pairs.py'

# Below the folder of the data, images in 'images', and in 'tokens' the
# token ids of each: tokens/a/0.npy for images/a/0.png.
source = dict(
    images='images',
    annotations=[dict(type='TokenFiles', folder='tokens')],
    pipeline=[
        dict(type='LoadImage'),
        dict(type='LoadTokens'),
        dict(type='ResizeShorterSide'),
        dict(type='Crop', random=False),
        dict(type='PackInputs'),
    ],
)
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
