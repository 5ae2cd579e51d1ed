"""Stable Diffusion 1.4: text-to-image with CLIP's text encoder.

Its run at 512x512 with a tenth of the captions dropped, as in its model card.
Set load_from to the model of version 1.2, from which it started. Batches have
2,048 images on 256 GPUs.

Train: bash tools/dist_train.sh \
       configs/ldm/stable-diffusion-1_kl-f8_text_256xb8-225k_laion-512x512.py \
       8 --cfg-options load_from=CHECKPOINT
Draw:  python tools/sample.py \
       work_dirs/stable-diffusion-1_kl-f8_text_256xb8-225k_laion-512x512 \
       --prompt 'a lake at dawn'

Needs the first stage of autoencoder_kl-f8_1xb4-247k_images-256x256.py, and
CLIP's ViT-L/14 by transformers.
"""

_base_ = [
    './ldm_kl-f8_text_8xb85-390k_laion-256x256.py',
    '../_base_/schedules/warm-up_10k.py',
]
model = dict(
    conditioner=dict(
        embedders=[
            dict(
                type='TextEncoder', pretrained='openai/clip-vit-large-patch14'
            )
        ],
    ),
    guidance=dict(scale=7.5),
)
train_dataloader = dict(
    global_batch_size=2048,
    dataset=dict(data_root='data/laion-aesthetics', size=512),
)

train_cfg = dict(max_iters=225_000)
auto_scale_lr = dict(base_batch_size=2048)  # of the rate, though inherited

# 50 steps of DDIM, as in the model card; images are judged against COCO's.
test_dataloader = dict(dataset=dict(size=512))
test_cfg = dict(sampling=dict(steps=50, guidance_scale=7.5))
