_base_ = [
    './ldm_kl-f4_shape-scenes.py',
    './datasets/shape-scenes_64x64.py',
]

model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4_1xb8-2k_shape-scenes-64x64',
    # Most channels work at 8x8 and 4x4 positions, where they cost least; at
    # 16x16 the noise in the input goes around the norms.
    denoiser=dict(channel_mults=(1, 2, 2), attn_factors=(4,), input_skip=True),
)
# As many as are cached in minutes; the models of all tasks share the cache.
train_dataloader = dict(dataset=dict(num_samples=30_000))
train_cfg = dict(max_iters=2000)
