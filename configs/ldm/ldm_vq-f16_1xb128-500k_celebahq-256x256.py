"""LDM-16 of CelebA-HQ.

Rombach et al. 2022, section 4.1 and table 14; not released.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f16_1xb128-500k_celebahq-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f16_1xb128-500k_celebahq-256x256 --num 16

Needs the first stage of autoencoder_vq-f16_1xb14-1101k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f16.py',
    '../_base_/evaluators/fid-50k_celebahq-256x256.py',
    '../_base_/schedules/adamw_ddim.py',
    '../_base_/ldm_runtime.py',
]
train_dataloader = dict(global_batch_size=128)

optim_wrapper = dict(optimizer=dict(lr=1.3e-4))
train_cfg = dict(max_iters=500_000)
test_cfg = dict(sampling=dict(steps=100))
