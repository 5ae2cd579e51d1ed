_base_ = './image-folder-requests.py'

# LSUN's LMDB, as downloaded; the central square, resized as for the published
# models.
train_dataloader = dict(
    num_workers=8,
    dataset=dict(
        _delete_=True,
        type='LSUN',
        data_root='data/lsun/church_outdoor_train_lmdb',
        size=256,
        pipeline=[
            dict(type='LoadImage'),
            dict(type='CropPart', random=False),
            dict(type='ResizeShorterSide', method='bicubic'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    ),
)
