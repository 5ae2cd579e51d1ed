"""Text-to-image of your own images with captions by CLIP, for GPUs.

The denoiser of the paper's LDM-4 (Rombach et al. 2022, table 12), and the
frozen text encoder of Stable Diffusion 1, which knows words that your
captions do not have. Captions are in a text beside each image: a.png and
a.txt.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_kl-f4_clip-text_8xb8-200k_images-256x256.py 8 \
       --cfg-options train_dataloader.dataset.data_root=FOLDER
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f4_clip-text_8xb8-200k_images-256x256 --prompt \
       'a lake at dawn'

Needs the first stage of autoencoder_kl-f4_8xb8-200k_images-256x256.py, and
CLIP's ViT-L/14 by transformers.
"""

_base_ = '../_base_/ldm_kl-f4_captioned-images_256x256.py'
model = dict(
    conditioner=dict(
        embedders=[
            dict(
                type='TextEncoder', pretrained='openai/clip-vit-large-patch14'
            )
        ]
    )
)
