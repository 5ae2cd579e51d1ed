"""Super-resolution of ImageNet, 64x64 to 256x256, LDM-4.

Rombach et al. 2022, tables 5 and 15; not released. The network is that of the
released model of OpenImages (113.6 M parameters). The paper's has 169 M, with
attention at an unknown place.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f4_sr-x4_1xb64-860k_imagenet-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f4_sr-x4_1xb64-860k_imagenet-256x256 --low-res \
       SMALL.png

Needs the first stage of autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f4_sr-x4.py',
    '../_base_/evaluators/sr-50k_imagenet-256x256.py',
    '../_base_/schedules/adamw_ddim.py',
    '../_base_/ldm_runtime.py',
]
train_dataloader = dict(global_batch_size=64)

optim_wrapper = dict(optimizer=dict(lr=6.4e-5))
train_cfg = dict(max_iters=860_000)
test_cfg = dict(sampling=dict(solver=dict(eta=1.0), steps=100))
