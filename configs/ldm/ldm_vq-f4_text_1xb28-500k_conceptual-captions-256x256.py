"""Text-to-image LDM-4 of Conceptual Captions.

Released as text2img256 (Rombach et al. 2022 report the KL model). Iterations
and drop probability of captions are not published: 500k and 0.1 are ours.

Train: bash tools/dist_train.sh \
       configs/ldm/ldm_vq-f4_text_1xb28-500k_conceptual-captions-256x256.py 1
Draw:  python tools/sample.py \
       work_dirs/ldm_vq-f4_text_1xb28-500k_conceptual-captions-256x256 \
       --prompt 'a lake at dawn'

Needs the first stage of autoencoder_vq-f4_1xb8-533k_images-256x256.py.
"""

_base_ = [
    '../_base_/models/ldm_vq-f4_192-channels.py',
    '../_base_/evaluators/fid_conceptual-captions-256x256.py',
    '../_base_/schedules/adamw_ddim.py',
    '../_base_/ldm_runtime.py',
]
model = dict(
    conditioner=dict(
        drop_prob=0.1,
        embedders=[
            dict(
                type='TokenTransformer',
                tokenizer=dict(type='BertTokens'),
                vocab_size=30522,
                embed_dim=640,
                num_layers=32,
                logits=True,
            )
        ],
    ),
    guidance=dict(_delete_=True, type='ClassifierFreeGuidance', scale=5.0),
)
train_dataloader = dict(global_batch_size=28)

optim_wrapper = dict(optimizer=dict(lr=5.6e-5))
test_cfg = dict(sampling=dict(steps=100))
