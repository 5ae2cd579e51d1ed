"""Text-to-image LDM-8 of LAION-400M: 1.45 billion parameters.

Rombach et al. 2022, tables 2, 15 and 17; released as text2img-large. The drop
probability of captions is not published; 0.1 is ours. The guidance scale is
1.5 in the table and 5 in the original's script.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_kl-f8_text_8xb85-390k_laion-256x256.py 8
Draw:  python tools/sample.py \
       work_dirs/ldm_kl-f8_text_8xb85-390k_laion-256x256 --prompt \
       'a lake at dawn'

Needs the first stage of autoencoder_kl-f8_1xb4-247k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_kl-f8.py',
    '../_base_/evaluators/fid-30k_coco-caption-256x256.py',
    '../_base_/schedules/adamw_ddim.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    autoencoder=dict(latent_scale=0.18215),
    denoiser=dict(checkpointing=True),
    conditioner=dict(
        drop_prob=0.1,
        embedders=[
            dict(
                type='TokenTransformer',
                tokenizer=dict(type='BertTokens'),
                vocab_size=30522,
                embed_dim=1280,
                num_layers=32,
                logits=True,
            )
        ],
    ),
    diffusion_scheduler=dict(noise_schedule=dict(start=0.00085, end=0.012)),
    guidance=dict(_delete_=True, type='ClassifierFreeGuidance', scale=5.0),
)
train_dataloader = dict(
    global_batch_size=680, dataset=dict(data_root='data/laion-400m')
)

optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=390_000)
test_cfg = dict(sampling=dict(steps=250, guidance_scale=1.5))
