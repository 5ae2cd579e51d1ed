"""A new class from 40 images: an adapter of the digits model, on CPU cores.

The quickstart's model learns to draw its threes mirrored, and keeps the other
digits, of which it sees 40 images each. Only updates of rank 4 are trained and
stored. (Threes black on white would need another first stage: this one, which
stays as it is, reconstructs them with 7 dB.)

Train: python tools/train.py \
       configs/ldm/ldm_kl-f4_class-lora_1xb64-400_digits-32x32.py
Judge: python tools/test.py \
       configs/ldm/ldm_kl-f4_class-lora_1xb64-400_digits-32x32.py \
       work_dirs/ldm_kl-f4_class-lora_1xb64-400_digits-32x32

Needs the model of ldm_kl-f4_class_1xb64-600_digits-32x32.py, and peft.
"""

_base_ = './ldm_kl-f4_class_1xb64-600_digits-32x32.py'
model = dict(
    adapter=dict(
        type='LoRA',
        base='work_dirs/ldm_kl-f4_class_1xb64-600_digits-32x32',
        rank=4,
        target=['vector_embed', 'embed', 'conv1', 'conv2', 'qkv', 'out'],
    )
)
train_dataloader = dict(dataset=dict(mirrored=[3], most=40))
test_evaluator = dict(
    train_dataset=dict(mirrored=[3]), test_dataset=dict(mirrored=[3])
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20),
]
train_cfg = dict(max_iters=400, val_interval=400)
default_hooks = dict(ema=dict(decay=0.98))
