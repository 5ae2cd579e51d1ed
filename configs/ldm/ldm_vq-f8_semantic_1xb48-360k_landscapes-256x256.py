"""Landscapes from semantic maps, LDM-8.

Rombach et al. 2022, table 15; not released. Loss, noise and map are those of
the released LDM-4.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f8_semantic_1xb48-360k_landscapes-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f8_semantic_1xb48-360k_landscapes-256x256 --map \
       LABELS.png

Needs the first stage of autoencoder_vq-f8_1xb10-971k_images-256x256.py.
"""

_base_ = './ldm_vq-f4_semantic_1xb48-360k_landscapes-256x256.py'
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_vq-f8_1xb10-971k_images-256x256',
    denoiser=dict(attention=dict(num_heads=1)),
)
