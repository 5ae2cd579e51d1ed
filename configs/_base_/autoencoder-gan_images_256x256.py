_base_ = [
    './datasets/image-folder-crops.py',
    './schedules/adam_autoencoder-gan.py',
    './default_runtime.py',
]

# Shared by the published first stages (Rombach et al. 2022, table 8).
train_dataloader = dict(num_workers=8)
default_hooks = dict(
    checkpoint=dict(save_best='recon/psnr', rule='greater'),
    ema=dict(type='ModuleEMAHook'),
)
