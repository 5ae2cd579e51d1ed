_base_ = './image-folder-requests.py'

# ImageNet's folders of synsets in 'train', as for the published models:
# bilinear resizing, a random square, no flips.
train_dataloader = dict(
    num_workers=8,
    dataset=dict(
        data_root='data/imagenet',
        images='train',
        split='all',
        annotations=[dict(type='FolderClasses', num_classes=1000)],
        pipeline=[
            dict(type='LoadImage'),
            dict(type='ResizeShorterSide', method='bilinear'),
            dict(type='Crop', random=True),
            dict(type='PackInputs'),
        ],
    ),
)
val_dataloader = dict(dataset=dict(num_classes=1000))
test_dataloader = dict(dataset=dict(num_classes=1000, num_samples=1000))
