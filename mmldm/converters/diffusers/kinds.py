"""What kind of value each key in a config file of diffusers has."""

from collections.abc import Mapping
from reprlib import repr as shorten
from typing import Any

from mmldm.diffusion.diffusers_grid import SPACINGS

from ..kinds import (
    COUNT,
    Kinds,
    by_key,
    is_bool,
    is_count,
    is_number,
    is_positive,
    is_text,
    list_of,
    or_null,
)


def _is_count_or_counts(value: Any) -> bool:
    return is_count(value) or list_of(is_count)(value)


KINDS: Kinds = (
    (
        COUNT,
        is_count,
        'in_channels latent_channels norm_num_groups num_vq_embeddings '
        'out_channels solver_order d_model encoder_attention_heads '
        'encoder_ffn_dim encoder_layers hidden_size intermediate_size '
        'max_position_embeddings num_hidden_layers vocab_size',
    ),
    (
        f'{COUNT}, or null',
        or_null(is_count),
        'attn_norm_num_groups num_attention_heads num_train_timesteps '
        'vq_embed_dim',
    ),
    (
        f'{COUNT}, or a list of them',
        _is_count_or_counts,
        'layers_per_block transformer_layers_per_block',
    ),
    (
        'a whole number from 1, a list of them, or null',
        or_null(_is_count_or_counts),
        'attention_head_dim cross_attention_dim sample_size',
    ),
    (
        'a list of whole numbers from 1',
        list_of(is_count),
        'block_out_channels',
    ),
    (
        'a list of names',
        list_of(is_text),
        'down_block_types up_block_types',
    ),
    (
        'a whole number from 0',
        lambda value: value == 0 or is_count(value),
        'steps_offset',
    ),
    ('a number', is_number, 'dropout'),
    (
        'a number above 0',
        is_positive,
        'beta_start beta_end clip_sample_range scaling_factor',
    ),
    (
        'a list of numbers, or null',
        or_null(list_of(is_number)),
        'trained_betas',
    ),
    (
        'true or false',
        is_bool,
        'clip_sample mid_block_add_attention rescale_betas_zero_snr '
        'set_alpha_to_one skip_prk_steps',
    ),
    (
        'a name',
        is_text,
        'algorithm_type beta_schedule final_sigmas_type prediction_type '
        'resnet_time_scale_shift',
    ),
    ('a name, or null', or_null(is_text), 'variance_type'),
    (
        f'one of {", ".join(SPACINGS)}',
        lambda value: isinstance(value, str) and value in SPACINGS,
        'timestep_spacing',
    ),
)
EXPECTED = by_key(KINDS)


def check_kinds(part: str, given: Mapping[str, Any]) -> None:
    """Raise where a value is of another kind than diffusers takes.

    Args:
        part: The class it configures, for messages.
        given: Content of its config file.

    Raises:
        ValueError: Naming the first such key.
    """
    for key, value in given.items():
        words, is_kind = EXPECTED.get(key, ('', lambda _: True))
        if not is_kind(value):
            raise ValueError(
                f'{part}.{key}={shorten(value)} must be {words}: take the '
                'file that diffusers saved'
            )
