"""KL-f4 autoencoder.

Rombach et al. 2022, table 8; 55.312 M parameters.
The learning rate is the original's 4.5e-6 times the batch size.

Needs LPIPS weights; README.md here says which, and how to train without.

Train: bash tools/dist_train.sh \
       configs/autoencoder/autoencoder_kl-f4_1xb10-177k_images-256x256.py 1 \
       --cfg-options train_dataloader.dataset.data_root=FOLDER
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_kl-f4_1xb10-177k_images-256x256.py \
       CHECKPOINT
"""

_base_ = [
    '../_base_/models/autoencoder_kl-f4.py',
    '../_base_/autoencoder-gan_images_256x256.py',
]
model = dict(
    perceptual=dict(type='LPIPS'),
    adversarial=dict(
        type='AdversarialLoss',
        discriminator=dict(type='PatchDiscriminator', num_layers=3),
        weight=0.5,
        start=50_001,
        # The original bounds sums over an image by 1e4.
        max_adaptive_weight=1e4 / (3 * 256 * 256),
    ),
)
train_dataloader = dict(global_batch_size=10)

optim_wrapper = dict(
    autoencoder=dict(optimizer=dict(lr=4.5e-5)),
    adversarial=dict(optimizer=dict(lr=4.5e-5)),
)
train_cfg = dict(max_iters=177_000)
