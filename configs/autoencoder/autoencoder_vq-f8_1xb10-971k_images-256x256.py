"""VQ-f8 autoencoder.

Rombach et al. 2022, table 8; 67.717 M parameters.

Train and judge: as autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = './autoencoder_vq-f4_1xb8-533k_images-256x256.py'
model = dict(
    autoencoder=dict(
        latent_channels=4,
        channel_mults=(1, 2, 2, 4),
        attn_factors=(8,),
        quantizer=dict(num_codes=16384),
    ),
    adversarial=dict(discriminator=dict(num_layers=2), weight=0.6, start=1),
)
train_dataloader = dict(global_batch_size=10)

optim_wrapper = dict(
    autoencoder=dict(optimizer=dict(lr=4.5e-5)),
    adversarial=dict(optimizer=dict(lr=4.5e-5)),
)
train_cfg = dict(max_iters=971_000)
