"""Landscapes from semantic maps, LDM-4.

Rombach et al. 2022, section 4.3.2; released as semantic_synthesis256. Batch,
iterations and learning rate are those of table 15, whose model is an LDM-8.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f4_semantic_1xb48-360k_landscapes-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f4_semantic_1xb48-360k_landscapes-256x256 --map \
       LABELS.png

Needs the first stage of autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f4_maps.py',
    '../_base_/datasets/landscapes-semantic_256x256.py',
    '../_base_/schedules/adamw.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    denoiser=dict(attention=dict(num_heads=8)),
    conditioner=dict(
        embedders=[dict(type='SemanticMap', num_classes=182, embed_dim=3)]
    ),
)
train_dataloader = dict(global_batch_size=48)

optim_wrapper = dict(optimizer=dict(lr=4.8e-5))
train_cfg = dict(max_iters=360_000)
