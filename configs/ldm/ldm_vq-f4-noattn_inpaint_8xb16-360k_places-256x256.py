"""Inpainting of Places, LDM-4 with a first stage without attention.

Rombach et al. 2022, tables 6 and 7 ("LDM-4, w/o attn"); not released.

Train and draw: as ldm_vq-f4_inpaint_8xb16-360k_places-256x256.py.

Needs the first stage of autoencoder_vq-f4-noattn_1xb8-658k_images-256x256.py.
"""

_base_ = './ldm_vq-f4_inpaint_8xb16-360k_places-256x256.py'
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_vq-f4-noattn_1xb8-658k_images-256x256',
)
