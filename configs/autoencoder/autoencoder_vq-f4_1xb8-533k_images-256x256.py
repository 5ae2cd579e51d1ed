"""VQ-f4 autoencoder.

Rombach et al. 2022, table 8; 55.323 M parameters.
The learning rate is the original's 4.5e-6 times the batch size. The codebook
is also the original's; README.md has remedies against the collapse of others.

Needs LPIPS weights; README.md here says which, and how to train without.

Train: bash tools/dist_train.sh \
       configs/autoencoder/autoencoder_vq-f4_1xb8-533k_images-256x256.py 1 \
       --cfg-options train_dataloader.dataset.data_root=FOLDER
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_vq-f4_1xb8-533k_images-256x256.py \
       CHECKPOINT
"""

_base_ = [
    '../_base_/models/autoencoder_vq-f4.py',
    '../_base_/autoencoder-gan_images_256x256.py',
]
model = dict(
    autoencoder=dict(quantizer=dict(beta=0.25, legacy_beta=True)),
    perceptual=dict(type='LPIPS'),
    adversarial=dict(
        type='AdversarialLoss',
        discriminator=dict(type='PatchDiscriminator', num_layers=3),
        weight=0.75,
    ),
)
train_dataloader = dict(global_batch_size=8)

optim_wrapper = dict(
    autoencoder=dict(optimizer=dict(lr=3.6e-5)),
    adversarial=dict(optimizer=dict(lr=3.6e-5)),
)
train_cfg = dict(max_iters=533_000)
