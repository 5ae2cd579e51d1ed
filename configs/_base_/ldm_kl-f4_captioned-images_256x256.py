_base_ = [
    './models/ldm_kl-f4.py',
    './datasets/image-folder-captions.py',
    './schedules/adamw.py',
    './ldm_runtime.py',
]

# Text-to-image of your own images; a config adds the encoder of captions.
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4_8xb8-200k_images-256x256',
    denoiser=dict(channels_last=True),
    conditioner=dict(drop_prob=0.1),
    guidance=dict(_delete_=True, type='ClassifierFreeGuidance', scale=5.0),
)
train_dataloader = dict(global_batch_size=64, num_workers=8)

optim_wrapper = dict(type='AutocastOptimWrapper', optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=200_000)
default_hooks = dict(
    latent_scale=dict(type='LatentScaleHook'),
    validation_loss=dict(type='ValidationLossHook'),
)
