"""VQ-f4 autoencoder of real photographs, on two CPU cores.

As the KL-f4 one, with a codebook that is kept from collapse.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_vq-f4_1xb16-1500_photographs-64x64.py
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_vq-f4_1xb16-1500_photographs-64x64.py \
       work_dirs/autoencoder_vq-f4_1xb16-1500_photographs-64x64
"""

_base_ = './autoencoder_kl-f4_1xb16-2k_photographs-64x64.py'
model = dict(
    autoencoder=dict(
        type='AutoencoderVQ',
        quantizer=dict(
            type='VectorQuantizer',
            num_codes=1024,
            ema_decay=0.99,
            kmeans_init=True,
            revive_after=20,
        ),
    ),
    regularization_weight=1.0,
    adversarial=dict(start=1200),
)
# Without RandomChannelOrder: codes for colours that no photograph has are
# taken from those that it has.
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='RandomShrink', min_scale=0.4),
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ]
    )
)

param_scheduler = dict(
    autoencoder=[
        dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
        dict(
            type='CosineAnnealingLR',
            by_epoch=False,
            begin=50,
            end=1500,
            eta_min=2e-5,
        ),
    ]
)
train_cfg = dict(max_iters=1500, val_interval=300)
default_hooks = dict(checkpoint=dict(interval=300))
