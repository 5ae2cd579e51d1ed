"""LDM-8 of LSUN's churches, with latents scaled to unit deviation.

Rombach et al. 2022, table 12; released as lsun_churches256. The learning rate
is 5e-5. The original's code multiplies it by the batch size by default, and
then the model learns nothing.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_kl-f8_1xb96-500k_lsun-churches-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f8_1xb96-500k_lsun-churches-256x256 --num 16

Needs the first stage of autoencoder_kl-f8_1xb4-247k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_kl-f8.py',
    '../_base_/evaluators/fid-50k_lsun-churches-256x256.py',
    '../_base_/schedules/adamw_ddim.py',
    '../_base_/schedules/warm-up_10k.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    denoiser=dict(
        channels=192,
        channel_mults=(1, 2, 2, 4, 4),
        attn_factors=(1, 2, 4, 8),
        res_block=dict(scale_shift=True, updown=True),
    ),
    diffusion_scheduler=dict(
        noise_schedule=dict(end=0.0155), loss_function=dict(type='L1Loss')
    ),
)
train_dataloader = dict(global_batch_size=96)

optim_wrapper = dict(optimizer=dict(lr=5e-5))
default_hooks = dict(latent_scale=dict(type='LatentScaleHook'))
test_cfg = dict(sampling=dict(steps=200))
