_base_ = './ldm_kl-f4.py'

# The networks of CelebA-HQ, FFHQ and LSUN's bedrooms (Rombach et al. 2022,
# table 12). Latents of a codebook need no scale: their standard deviation is
# about 1 (app. G).
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_vq-f4_1xb8-533k_images-256x256'
)
