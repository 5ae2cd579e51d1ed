_base_ = './ldm_vq-f4.py'

# LDM-4 of ImageNet (Rombach et al. 2022, table 13) and of Conceptual Captions.
model = dict(denoiser=dict(channels=192, channel_mults=(1, 2, 3, 5)))
