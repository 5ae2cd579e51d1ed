_base_ = './image-folder-requests.py'

# CelebA-HQ at 1024x1024, scaled down as for the published models: by OpenCV's
# bilinear interpolation, which aliases, and without flips.
# tools/dataset_converters/celebahq.py writes the folder.
train_dataloader = dict(
    num_workers=8,
    dataset=dict(
        data_root='data/celebahq',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='ResizeShorterSide', method='bilinear'),
            dict(type='Crop', random=False),
            dict(type='PackInputs'),
        ],
    ),
)
