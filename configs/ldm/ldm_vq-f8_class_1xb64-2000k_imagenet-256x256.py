"""Class-conditional LDM-8 of ImageNet, to compare with LDM-1 to LDM-32.

Rombach et al. 2022, section 4.1 and table 13; with one head, where the
released model has heads of 32 channels.

Train and draw: as ldm_vq-f8_class_1xb64-4800k_imagenet-256x256.py.
"""

_base_ = './ldm_vq-f8_class_1xb64-4800k_imagenet-256x256.py'
model = dict(denoiser=dict(attention=dict(num_heads=1)))

train_cfg = dict(max_iters=2_000_000)
