"""KL-f8 autoencoder.

Rombach et al. 2022, table 8; 83.654 M parameters.

Train and judge: as autoencoder_kl-f4_1xb10-177k_images-256x256.py.
"""

_base_ = './autoencoder_kl-f4_1xb10-177k_images-256x256.py'
model = dict(
    autoencoder=dict(latent_channels=4, channel_mults=(1, 2, 4, 4)),
)
train_dataloader = dict(global_batch_size=4)

optim_wrapper = dict(
    autoencoder=dict(optimizer=dict(lr=1.8e-5)),
    adversarial=dict(optimizer=dict(lr=1.8e-5)),
)
train_cfg = dict(max_iters=247_000)
