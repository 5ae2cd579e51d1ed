"""Inpainting of Places, LDM-4 with a larger network.

Rombach et al. 2022, table 7 ("LDM-4, big"); released as inpainting_big. Its
file has no batch size. The learning rate starts at a hundredth, rises for
1,000 iterations and falls to a thousandth in 50,000; here it falls until the
last iteration. Iterations, batch and learning rate are those of the smaller
model.

Train and draw: as ldm_vq-f4_inpaint_8xb16-360k_places-256x256.py.

Needs the first stage of autoencoder_vq-f4-noattn_1xb8-658k_images-256x256.py.
"""

_base_ = './ldm_vq-f4-noattn_inpaint_8xb16-360k_places-256x256.py'
model = dict(
    denoiser=dict(
        channels=256,
        channel_mults=(1, 2, 3, 4),
        attn_factors=(2, 4, 8),
        attention=dict(num_heads=8),
        res_block=dict(updown=True),
    )
)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=1000),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=1000,
        eta_min_ratio=1e-3,
    ),
]
