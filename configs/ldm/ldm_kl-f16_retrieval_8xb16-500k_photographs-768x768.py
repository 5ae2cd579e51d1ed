"""Retrieval-augmented LDM-16: images like their neighbours in CLIP's space.

Blattmann et al. 2022 (arXiv:2204.11824); released as rdm768. The batch size,
iterations and drop probability of neighbours are not published: 128, 500k and
0.1 are ours. The original's script has a guidance scale of 5.

Find:  python tools/dataset_converters/neighbours.py data/photographs/images \
       --out data/photographs/neighbours
Train: bash tools/dist_train.sh \
       configs/ldm/ldm_kl-f16_retrieval_8xb16-500k_photographs-768x768.py 8

To draw, make an index of any images, and give a caption or an image to search
for in it:

Index:  python tools/dataset_converters/neighbours.py data/photographs/images \
        --index data/photographs/index.safetensors
Sample: python tools/sample.py \
        configs/ldm/ldm_kl-f16_retrieval_8xb16-500k_photographs-768x768.py \
        CHECKPOINT --database data/photographs/index.safetensors --prompt \
        "a harbour"

Or give model.predict data samples with features, (up to 20, 768), by CLIP's
ViT-L/14, of norm 1.

Needs the first stage of autoencoder_kl-f16_1xb6-443k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_kl-f4.py',
    '../_base_/datasets/neighbours_768x768.py',
    '../_base_/schedules/adamw.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    autoencoder=dict(latent_scale=0.22765929),
    autoencoder_checkpoint='work_dirs/'
    'autoencoder_kl-f16_1xb6-443k_images-256x256',
    denoiser=dict(channels=448, attn_factors=(1, 2, 4), checkpointing=True),
    conditioner=dict(
        drop_prob=0.1,
        embedders=[dict(type='PrecomputedFeatures', embed_dim=768)],
    ),
    diffusion_scheduler=dict(noise_schedule=dict(end=0.015)),
    guidance=dict(_delete_=True, type='ClassifierFreeGuidance', scale=5.0),
)
train_dataloader = dict(global_batch_size=128)

optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=500_000)
