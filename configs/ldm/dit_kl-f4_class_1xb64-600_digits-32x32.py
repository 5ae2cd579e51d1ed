"""Class-conditional latent diffusion of digits by a transformer.

The quickstart's model with another denoiser, for two CPU cores. Patches have
2x2 latent positions; 4.2 M parameters (the UNet has 4.0 M).

Train: python tools/train.py \
       configs/ldm/dit_kl-f4_class_1xb64-600_digits-32x32.py
Judge: python tools/test.py \
       configs/ldm/dit_kl-f4_class_1xb64-600_digits-32x32.py \
       work_dirs/dit_kl-f4_class_1xb64-600_digits-32x32

Needs the first stage of autoencoder_kl-f4_1xb32-300_digits-32x32.py.
"""

_base_ = './ldm_kl-f4_class_1xb64-600_digits-32x32.py'
model = dict(
    denoiser=dict(
        _delete_=True,
        type='DiffusionTransformer',
        channels=192,
        patch_size=2,
        num_layers=6,
        num_heads=6,
        positions='rotary',
        feed_forward='swiglu',
        qk_norm=True,
    )
)
