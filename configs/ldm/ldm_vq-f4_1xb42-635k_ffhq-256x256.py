"""LDM-4 of FFHQ.

Rombach et al. 2022, table 12; released as ffhq256.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f4_1xb42-635k_ffhq-256x256.py 1
Draw:  python tools/sample.py work_dirs/ldm_vq-f4_1xb42-635k_ffhq-256x256 \
       --num 16

Needs the first stage of autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f4.py',
    '../_base_/evaluators/fid-50k_ffhq-256x256.py',
    '../_base_/schedules/adamw_ddim.py',
    '../_base_/ldm_runtime.py',
]
train_dataloader = dict(global_batch_size=42)

optim_wrapper = dict(optimizer=dict(lr=8.4e-5))
train_cfg = dict(max_iters=635_000)
test_cfg = dict(sampling=dict(solver=dict(eta=1.0), steps=200))
