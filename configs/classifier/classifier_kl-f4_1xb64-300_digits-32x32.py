"""Classifier of noisy latents of digits, for classifier guidance.

Dhariwal & Nichol 2021, section 4 (arXiv:2105.05233).

Train: python tools/train.py \
       configs/classifier/classifier_kl-f4_1xb64-300_digits-32x32.py
Judge: python tools/test.py \
       configs/classifier/classifier_kl-f4_1xb64-300_digits-32x32.py \
       work_dirs/classifier_kl-f4_1xb64-300_digits-32x32

It guides models like ldm_kl-f4_class_1xb64-600_digits-32x32.py, which must
have the same latents and noise: train both with the same first stage, data and
seed.
"""

_base_ = [
    '../_base_/ldm_kl-f4_digits_32x32.py',
    '../_base_/datasets/digits_32x32.py',
]
model = dict(
    _delete_=True,
    type='LatentClassification',
    autoencoder_checkpoint={{_base_.model.autoencoder_checkpoint}},
    classifier=dict(
        type='LatentClassifier',
        num_classes=10,
        channels=64,
        channel_mults=(1, 2),
        num_res_blocks=1,
        attn_factors=(2,),
        dropout=0.1,
    ),
    diffusion_scheduler={{_base_.model.diffusion_scheduler}},
)

val_evaluator = dict(_delete_=True, type='LabelAccuracy')
test_evaluator = val_evaluator

train_cfg = dict(max_iters=300, val_interval=300)
