"""Configs of the sound models."""

from typing import Any

AUTOENCODER = dict(
    type='AutoencoderKL',
    latent_channels=4,
    channels=32,
    channel_mults=(1, 1),
    num_res_blocks=1,
    mid_attention=False,
)
CLASSES = dict(
    type='Conditioner',
    embedders=[dict(type='ClassEmbedder', num_classes=10, embed_dim=8)],
)
FEATURES = dict(
    type='Conditioner',
    embedders=[dict(type='PrecomputedFeatures', embed_dim=8)],
)
WORDS = [*'abc', *(f'{letter}</w>' for letter in 'abc')]
START, END = len(WORDS), len(WORDS) + 1
CLIP = dict(
    hidden_size=8,
    intermediate_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    projection_dim=8,
)
TEXT_SIZES = dict(
    vocab_size=len(WORDS) + 2,
    max_position_embeddings=6,
    bos_token_id=START,
    eos_token_id=END,
)
# As of the original.
YAML = dict(
    target='ldm.models.diffusion.ddpm.LatentDiffusion',
    params=dict(
        image_size=4,
        channels=4,
        use_ema=False,
        scale_factor=0.5,
        unet_config=dict(
            target='ldm.modules.diffusionmodules.openaimodel.UNetModel',
            params=dict(
                image_size=4,
                in_channels=4,
                out_channels=4,
                model_channels=64,
                attention_resolutions=[],
                num_res_blocks=1,
                channel_mult=[1],
                num_heads=2,
            ),
        ),
        first_stage_config=dict(
            target='ldm.models.autoencoder.AutoencoderKL',
            params=dict(
                embed_dim=4,
                ddconfig=dict(
                    double_z=True,
                    z_channels=4,
                    resolution=8,
                    in_channels=3,
                    out_ch=3,
                    ch=32,
                    ch_mult=[1, 1],
                    num_res_blocks=1,
                    attn_resolutions=[],
                    dropout=0.0,
                ),
                lossconfig=dict(target='torch.nn.Identity'),
            ),
        ),
        cond_stage_config='__is_unconditional__',
    ),
)

DIGITS = """
_base_ = [
    '{root}/configs/_base_/datasets/digits-requests_32x32.py',
    '{root}/configs/_base_/schedules/adamw.py',
    '{root}/configs/_base_/ldm_runtime.py',
]
model = {model}
train_dataloader = dict(global_batch_size=2, dataset=dict(size=8, indices=4))
val_dataloader = dict(dataset=dict(num_samples=2))
test_dataloader = dict(dataset=dict(num_samples=2))
test_evaluator = []
train_cfg = dict(max_iters=1, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1))
load_from = '{folder}/class.safetensors'
"""

# A folder of images with annotations; a model without conditions.
DATA = """
_base_ = '{root}/digits.py'
model = dict(
    conditioner=dict(_delete_=True, type='Conditioner'),
    denoiser=dict(context_dim=None))
load_from = '{root}/plain.safetensors'
train_dataloader = dict(dataset=dict(
    _delete_=True, type='ImageFolder', data_root='images', size=8,
    annotations=[{annotation}],
    pipeline=[
        dict(type='LoadImage'), dict(type='ResizeShorterSide'),
        dict(type='Crop', random=False), *{transforms},
        dict(type='PackInputs')]))
"""


def config(
    conditioner: dict[str, Any], context_dim: int | None
) -> dict[str, Any]:
    """Of a latent diffusion model of images of 8 pixels."""
    return dict(
        type='LatentDiffusion',
        autoencoder=AUTOENCODER,
        denoiser=dict(
            type='DenoisingUNet',
            in_channels=4,
            out_channels=4,
            channels=64,
            channel_mults=(1,),
            num_res_blocks=1,
            attn_factors=(1,),
            context_dim=context_dim,
        ),
        conditioner=conditioner,
        diffusion_scheduler=dict(
            type='DiffusionScheduler',
            noise_schedule=dict(type='ScaledLinearBetas'),
            prediction=dict(type='EpsilonPrediction'),
            loss_weighting=dict(type='UniformWeighting'),
            timestep_sampler=dict(type='UniformTimesteps'),
            time_grid=dict(type='LeadingGrid'),
            solver=dict(type='DDIM'),
            num_steps=2,
        ),
        guidance=dict(type='NoGuidance'),
        image_size=8,
    )


def text_conditioner(tokenizer: str) -> dict[str, Any]:
    """By a text encoder of CLIP's."""
    network = dict(TEXT_SIZES, **CLIP, model_type='clip_text_model')
    del network['projection_dim']
    embedder = dict(
        type='TextEncoder', config=network, tokenizer=tokenizer, max_length=6
    )
    return dict(type='Conditioner', embedders=[embedder])
