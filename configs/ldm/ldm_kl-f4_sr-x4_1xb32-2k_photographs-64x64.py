"""Super-resolution of real photographs by 4, for two CPU cores.

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_sr-x4_1xb32-2k_photographs-64x64.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_sr-x4_1xb32-2k_photographs-64x64.py \
       work_dirs/ldm_kl-f4_sr-x4_1xb32-2k_photographs-64x64
Draw:  python tools/sample.py \
       configs/ldm/ldm_kl-f4_sr-x4_1xb32-2k_photographs-64x64.py \
       work_dirs/ldm_kl-f4_sr-x4_1xb32-2k_photographs-64x64 --low-res SMALL.png

Needs the first stage of autoencoder_kl-f4_1xb16-2k_photographs-64x64.py.
"""

_base_ = '../_base_/ldm_kl-f4_photographs_64x64.py'
model = dict(
    conditioner=dict(embedders=[dict(type='LowResolution')]),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='RandomDownscale', min_scale=0.4),
            dict(type='Crop', random=True),
            dict(type='RandomChannelOrder'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='DegradeBicubic', factor=4),
            dict(type='PackInputs'),
        ]
    )
)
pipeline = [
    dict(type='DegradeBicubic', factor=4),
    dict(type='PackInputs', gt_img=True),
]
val_dataloader = dict(dataset=dict(pipeline=pipeline))
# Eight samples of each image; the metric uses their mean.
test_dataloader = dict(dataset=dict(pipeline=pipeline, samples_per_entry=8))

val_evaluator = [
    dict(
        type='SuperResolutionMetrics',
        features=dict(
            type='PretrainedFeatures',
            network=dict(type='EfficientNetLiteStages'),
        ),
        patches=True,
    ),
    dict(type='Sharpness'),
]
test_evaluator = val_evaluator
