"""Inpainting of Places, LDM-4.

Rombach et al. 2022, tables 6, 7 and 15 ("LDM-4, w/ attn"); not released. Loss
and noise are those of the released, larger model. The table's learning rate of
1e-6 is taken as that of one image, as in the original's files: 1.28e-4 for a
batch of 128.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f4_inpaint_8xb16-360k_places-256x256.py 8
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f4_inpaint_8xb16-360k_places-256x256 --image \
       IMAGE.png --mask MASK.png

Needs the first stage of autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f4_maps.py',
    '../_base_/evaluators/inpaint-30k_places-256x256.py',
    '../_base_/schedules/adamw_ddim.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    denoiser=dict(attention=dict(num_heads=1)),
    conditioner=dict(embedders=[dict(type='MaskedImage')]),
)
train_dataloader = dict(global_batch_size=128)

optim_wrapper = dict(optimizer=dict(lr=1.28e-4))
train_cfg = dict(max_iters=360_000)
test_cfg = dict(sampling=dict(steps=50))
