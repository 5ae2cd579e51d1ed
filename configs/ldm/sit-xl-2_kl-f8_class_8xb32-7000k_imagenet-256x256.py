"""SiT-XL/2: DiT-XL/2 trained on the velocity of straight paths.

Ma et al. 2024 (arXiv:2401.08740), section 3. The network gets times in (0, 1),
as published. Here they run from the image to the noise, in the paper the other
way.

Train: bash tools/dist_train.sh \
       configs/ldm/sit-xl-2_kl-f8_class_8xb32-7000k_imagenet-256x256.py 8
Draw:  python tools/sample.py \
       work_dirs/sit-xl-2_kl-f8_class_8xb32-7000k_imagenet-256x256 --label 207

Needs the first stage of autoencoder_kl-f8_1xb4-247k_images-256x256.py.
"""

_base_ = './dit-xl-2_kl-f8_class_8xb32-7000k_imagenet-256x256.py'
model = dict(
    diffusion_scheduler=dict(
        variance=None,
        noise_schedule=dict(
            _delete_=True, type='RectifiedFlow', num_timesteps=1
        ),
        prediction=dict(_delete_=True, type='FlowPrediction'),
    ),
)
# DDIM with eta=1, as for DiT, is not for straight paths.
test_cfg = dict(sampling=None)
