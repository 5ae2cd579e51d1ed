"""VQ-f16 autoencoder.

Rombach et al. 2022, table 8; 69.593 M parameters.

Train and judge: as autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = './autoencoder_vq-f4_1xb8-533k_images-256x256.py'
model = dict(
    autoencoder=dict(
        latent_channels=8,
        channel_mults=(1, 1, 2, 2, 4),
        attn_factors=(16,),
        quantizer=dict(num_codes=16384),
    ),
    adversarial=dict(discriminator=dict(num_layers=2), start=250_001),
)
train_dataloader = dict(global_batch_size=14)

optim_wrapper = dict(
    autoencoder=dict(optimizer=dict(lr=6.3e-5)),
    adversarial=dict(optimizer=dict(lr=6.3e-5)),
)
train_cfg = dict(max_iters=1_101_000)
