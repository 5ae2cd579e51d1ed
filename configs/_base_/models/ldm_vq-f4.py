_base_ = './ldm_kl-f4.py'

# The networks of CelebA-HQ, FFHQ and LSUN's bedrooms (Rombach et al. 2022,
# table 12); latents of a codebook have a standard deviation of about 1 as they
# are (app. G).
model = dict(
    autoencoder=dict(
        _delete_=True,
        type='AutoencoderVQ',
        latent_channels=3,
        channels=128,
        channel_mults=(1, 2, 4),
        num_res_blocks=2,
        quantizer=dict(type='VectorQuantizer', num_codes=8192),
    ),
)
