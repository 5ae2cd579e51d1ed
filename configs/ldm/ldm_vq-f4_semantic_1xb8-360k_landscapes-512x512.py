"""Landscapes from semantic maps, LDM-4 of larger images.

Released as semantic_synthesis512; trained on crops of images whose shorter
side has 768 pixels. The iterations are not published: 360k are those of
256x256.

Train and draw: as ldm_vq-f4_semantic_1xb48-360k_landscapes-256x256.py.
"""

_base_ = './ldm_vq-f4_semantic_1xb48-360k_landscapes-256x256.py'
load = [
    dict(type='LoadImage'),
    dict(type='LoadLabelMap', num_classes=182),
    dict(type='ResizeShorterSide', size=768),
]
held_out = dict(
    pipeline=[*load, dict(type='Crop', random=False), dict(type='PackInputs')]
)
train_dataloader = dict(
    global_batch_size=8,
    dataset=dict(
        size=512,
        pipeline=[
            *load,
            dict(type='Crop', random=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    ),
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)

optim_wrapper = dict(optimizer=dict(lr=8e-6))
