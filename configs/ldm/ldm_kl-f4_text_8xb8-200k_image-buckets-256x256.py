"""Text-to-image of your own images of any shape, for GPUs.

Images keep their proportions: each is cut to one of five sizes of nearly the
area of 256x256 pixels, from 192x320 to 320x192, and every batch has one of
them.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_kl-f4_text_8xb8-200k_image-buckets-256x256.py 8 \
       --cfg-options train_dataloader.dataset.data_root=FOLDER
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f4_text_8xb8-200k_image-buckets-256x256 --prompt \
       'a lake at dawn' --size 192x320

Needs the first stage of autoencoder_kl-f4_8xb8-200k_images-256x256.py, and
BERT's tokenizer by transformers.
"""

_base_ = './ldm_kl-f4_text_8xb8-200k_images-256x256.py'
train_dataloader = dict(
    dataset=dict(buckets=dict(type='AspectBuckets', step=32))
)
