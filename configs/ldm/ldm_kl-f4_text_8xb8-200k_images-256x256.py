"""Text-to-image of your own images with captions, for GPUs.

The denoiser of the paper's LDM-4 (Rombach et al. 2022, table 12) and the
encoder of captions of its text models (table 15), with fewer layers, as it
learns from your captions alone. Captions are in a text beside each image:
a.png and a.txt.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_kl-f4_text_8xb8-200k_images-256x256.py 8 \
       --cfg-options train_dataloader.dataset.data_root=FOLDER
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f4_text_8xb8-200k_images-256x256 --prompt \
       'a lake at dawn'

Needs the first stage of autoencoder_kl-f4_8xb8-200k_images-256x256.py, and
BERT's tokenizer by transformers.
"""

_base_ = '../_base_/ldm_kl-f4_captioned-images_256x256.py'
model = dict(
    conditioner=dict(
        embedders=[
            dict(
                type='TokenTransformer',
                tokenizer=dict(type='BertTokens'),
                vocab_size=30522,
                embed_dim=640,
                num_layers=8,
            )
        ]
    )
)
