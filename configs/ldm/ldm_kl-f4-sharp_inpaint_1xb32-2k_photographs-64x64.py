"""Inpainting of real photographs, with the sharp first stage.

Train: python tools/train.py \
  configs/ldm/ldm_kl-f4-sharp_inpaint_1xb32-2k_photographs-64x64.py
Judge: python tools/test.py \
  configs/ldm/ldm_kl-f4-sharp_inpaint_1xb32-2k_photographs-64x64.py \
  work_dirs/ldm_kl-f4-sharp_inpaint_1xb32-2k_photographs-64x64

Needs the first stage of
autoencoder_kl-f4-sharp_1xb8-6k_photographs-64x64.py.
"""

_base_ = './ldm_kl-f4_inpaint_1xb32-2k_photographs-64x64.py'
model = dict(
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f4-sharp_1xb8-6k_photographs-64x64'
)
