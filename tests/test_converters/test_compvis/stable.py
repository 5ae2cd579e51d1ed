"""Small models with the names and the proportions of Stable Diffusion."""

import torch

from mmldm.converters.compvis.denoiser import UNET_KEYS
from mmldm.converters.compvis.first_stage import FIRST_STAGE_KEYS
from mmldm.converters.transformer_names import CLIP_KEYS
from mmldm.registry import MODELS

STAGE = dict(
    type='AutoencoderKL',
    latent_channels=4,
    channels=32,
    channel_mults=(1, 2, 2),
    num_res_blocks=1,
)
UNET = dict(
    type='DenoisingUNet',
    in_channels=4,
    out_channels=4,
    channels=64,
    channel_mults=(1, 2),
    num_res_blocks=1,
    attn_factors=(1,),
    attention=dict(num_heads=8),
    context_dim=64,
)
TEXT = dict(
    type='TextEncoder',
    tokenizer='openai/clip-vit-large-patch14',
    config=dict(
        vocab_size=9,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=1,
        max_position_embeddings=77,
        hidden_act='quick_gelu',
    ),
)
MODEL, FIRST, SECOND = (
    'model.diffusion_model.',
    'first_stage_model.',
    'cond_stage_model.',
)


def under(start, weights):
    return {start + name: weight for name, weight in weights.items()}


def stage_weights(config=STAGE):
    """A first stage by the original's names."""
    return FIRST_STAGE_KEYS.write(MODELS.build(config).state_dict(), config)


def unet_weights(config=UNET):
    return UNET_KEYS.write(MODELS.build(config).state_dict(), config)


def clip_weights():
    theirs = CLIP_KEYS.write(MODELS.build(TEXT).state_dict(), TEXT)
    return under('transformer.', theirs)


def open_clip_weights(width=64, layers=3, vocab_size=9):
    """The names in files of Stable Diffusion 2."""
    shapes = {
        'positional_embedding': (77, width),
        'text_projection': (width, width),
        'logit_scale': (),
        'token_embedding.weight': (vocab_size, width),
        'ln_final.weight': (width,),
        'ln_final.bias': (width,),
    }
    for i in range(layers):
        block = f'transformer.resblocks.{i}.'
        shapes |= {
            f'{block}ln_1.weight': (width,),
            f'{block}ln_1.bias': (width,),
            f'{block}attn.in_proj_weight': (3 * width, width),
            f'{block}attn.in_proj_bias': (3 * width,),
            f'{block}attn.out_proj.weight': (width, width),
            f'{block}attn.out_proj.bias': (width,),
            f'{block}ln_2.weight': (width,),
            f'{block}ln_2.bias': (width,),
            f'{block}mlp.c_fc.weight': (4 * width, width),
            f'{block}mlp.c_fc.bias': (4 * width,),
            f'{block}mlp.c_proj.weight': (width, 4 * width),
            f'{block}mlp.c_proj.bias': (width,),
        }
    return {
        f'model.{name}': 0.2 * torch.randn(shape)
        for name, shape in shapes.items()
    }


def stable_diffusion_1():
    return {
        **under(MODEL, unet_weights()),
        **under(FIRST, stage_weights()),
        **under(SECOND, clip_weights()),
    }


def is_projection(name):
    return name.endswith(('.proj_in.weight', '.proj_out.weight'))


def stable_diffusion_2():
    """Its heads have 64 channels, and its projections are linear."""
    unet = {
        name: weight[..., 0, 0] if is_projection(name) else weight
        for name, weight in unet_weights(
            UNET | dict(attention=dict(head_channels=64))
        ).items()
    }
    return {
        **under(MODEL, unet),
        **under(FIRST, stage_weights()),
        **under(SECOND, open_clip_weights()),
    }
