"""Landscapes from semantic maps, LDM-4 of larger images.

Released as semantic_synthesis512; trained on crops of images whose shorter
side has 768 pixels. The iterations are not published: 360k are those of
256x256.

Train and draw: as ldm_vq-f4_semantic_1xb48-360k_landscapes-256x256.py.
"""

_base_ = './ldm_vq-f4_semantic_1xb48-360k_landscapes-256x256.py'
train_dataloader = dict(global_batch_size=8, dataset=dict(size=512))

optim_wrapper = dict(optimizer=dict(lr=8e-6))
