"""KL-f4 autoencoder of your own images with a discriminator.

For two CPU cores: crops of 64 pixels, at the images' own resolution.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4-gan_1xb16-2k_images-64x64.py \
       --cfg-options train_dataloader.dataset.data_root=FOLDER
"""

_base_ = './autoencoder_kl-f4_1xb16-2k_photographs-64x64.py'
# In place of the thumbnail, which diffusers has not.
model = dict(autoencoder=dict(thumbnail=False, starts_as_resizing=True))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ImageFolder',
        data_root='data/images',
        size=64,
        split='train',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='RandomShrink', min_scale=0.4),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ImageFolder',
        split='val',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='Crop', random=False),
            dict(type='PackInputs'),
        ],
    )
)
test_dataloader = val_dataloader
