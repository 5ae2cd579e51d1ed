"""KL-f4 autoencoder of real photographs, on two CPU cores.

With L1 alone, then with a discriminator; README.md in this folder has what it
learns in how many minutes.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4_1xb16-2k_photographs-64x64.py
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_kl-f4_1xb16-2k_photographs-64x64.py \
       work_dirs/autoencoder_kl-f4_1xb16-2k_photographs-64x64
"""

_base_ = [
    '../_base_/models/autoencoder_kl-f4.py',
    '../_base_/datasets/photographs.py',
    '../_base_/schedules/adam_autoencoder-gan.py',
    '../_base_/default_runtime.py',
]
model = dict(
    autoencoder=dict(
        channels=32,
        num_res_blocks=1,
        mid_attention=False,
        norm_groups=8,
        thumbnail=True,
    ),
    adversarial=dict(
        type='AdversarialLoss',
        discriminator=dict(
            type='PatchDiscriminator', channels=32, num_layers=2
        ),
        weight=0.1,
        start=1600,
        lead=100,
        ramp=100,
    ),
)
train_dataloader = dict(global_batch_size=16)

optim_wrapper = dict(
    autoencoder=dict(
        type='AutocastOptimWrapper',
        optimizer=dict(lr=5e-4, betas=(0.9, 0.99)),
        clip_grad=dict(max_norm=1.0),
    ),
    adversarial=dict(type='AutocastOptimWrapper', optimizer=dict(lr=2e-4)),
)
param_scheduler = dict(
    autoencoder=[
        dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
        dict(
            type='CosineAnnealingLR',
            by_epoch=False,
            begin=50,
            end=2000,
            eta_min=2e-5,
        ),
    ],
    adversarial=[],
)
train_cfg = dict(max_iters=2000, val_interval=500)
default_hooks = dict(
    checkpoint=dict(interval=500),
    ema=dict(type='ModuleEMAHook', decay=0.998),
)
