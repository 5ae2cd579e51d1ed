"""Unconditional latent diffusion of your own images, for GPUs.

The denoiser of the paper's LDM-4 (Rombach et al. 2022, table 12; 274 M
parameters).

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_kl-f4_8xb8-200k_images-256x256.py 8 --cfg-options \
       train_dataloader.dataset.data_root=FOLDER

Needs the first stage of autoencoder_kl-f4_8xb8-200k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_kl-f4.py',
    '../_base_/datasets/image-folder-requests.py',
    '../_base_/schedules/adamw.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4_8xb8-200k_images-256x256',
    denoiser=dict(channels_last=True),
)
train_dataloader = dict(global_batch_size=64, num_workers=8)

optim_wrapper = dict(type='AutocastOptimWrapper', optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=200_000)
default_hooks = dict(
    latent_scale=dict(type='LatentScaleHook'),
    validation_loss=dict(type='ValidationLossHook'),
)
