"""VQ-f8 autoencoder with 256 codes.

Rombach et al. 2022, table 8; 67.653 M parameters.

Train and judge: as autoencoder_vq-f8_1xb10-971k_images-256x256.py.
"""

_base_ = './autoencoder_vq-f8_1xb10-971k_images-256x256.py'
model = dict(
    autoencoder=dict(quantizer=dict(num_codes=256)),
    adversarial=dict(
        discriminator=dict(num_layers=3), weight=0.75, start=250_001
    ),
)
train_dataloader = dict(global_batch_size=10)

optim_wrapper = dict(
    autoencoder=dict(optimizer=dict(lr=4.5e-5)),
    adversarial=dict(optimizer=dict(lr=4.5e-5)),
)
train_cfg = dict(max_iters=1_609_000)
