"""KL-f32 autoencoder.

Rombach et al. 2022, table 8; 103.880 M parameters.

Train and judge: as autoencoder_kl-f4_1xb10-177k_images-256x256.py.
"""

_base_ = './autoencoder_kl-f4_1xb10-177k_images-256x256.py'
model = dict(
    autoencoder=dict(
        latent_channels=64,
        channel_mults=(1, 1, 2, 2, 4, 4),
        attn_factors=(16, 32),
    ),
)
train_dataloader = dict(global_batch_size=6)

optim_wrapper = dict(
    autoencoder=dict(optimizer=dict(lr=2.7e-5)),
    adversarial=dict(optimizer=dict(lr=2.7e-5)),
)
train_cfg = dict(max_iters=407_000)
