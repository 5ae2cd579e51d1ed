"""VQ-f4 autoencoder without attention.

Rombach et al. 2022, table 8; 53.219 M parameters.

Train and judge: as autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = './autoencoder_vq-f4_1xb8-533k_images-256x256.py'
model = dict(
    autoencoder=dict(mid_attention=False),
    adversarial=dict(start=11),
)
train_dataloader = dict(global_batch_size=8)

optim_wrapper = dict(
    autoencoder=dict(optimizer=dict(lr=3.6e-5)),
    adversarial=dict(optimizer=dict(lr=3.6e-5)),
)
train_cfg = dict(max_iters=658_000)
