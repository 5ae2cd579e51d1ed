_base_ = './ldm_vq-f8.py'

# LDM-32 of CelebA (Rombach et al. 2022, table 14).
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_vq-f32-d32_1xb14-1101k_images-256x256'
)
