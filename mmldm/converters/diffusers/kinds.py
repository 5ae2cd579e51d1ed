"""What kind of value each key in a config file of diffusers has."""

from collections.abc import Callable, Mapping
from reprlib import repr as shorten
from typing import Any

from mmldm.diffusion.diffusers_grid import SPACINGS

# More than any count in a network or a process, and few enough to be tried.
MOST = 10**6
LARGEST = 1e300


def _is_number(value: Any) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    # Not math.isfinite, which has no answer for 10**400.
    return known and -LARGEST < value < LARGEST


def _is_count(value: Any) -> bool:
    return _is_number(value) and value in range(1, MOST)


def _list_of(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, list | tuple) and value and all(map(kind, value))
    )


def _or_null(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or kind(value)


def _is_count_or_counts(value: Any) -> bool:
    return _is_count(value) or _list_of(_is_count)(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


KINDS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (
        f'a whole number from 1 to {MOST - 1}',
        _is_count,
        'in_channels latent_channels norm_num_groups num_vq_embeddings '
        'out_channels solver_order d_model encoder_attention_heads '
        'encoder_ffn_dim encoder_layers hidden_size intermediate_size '
        'max_position_embeddings num_hidden_layers vocab_size',
    ),
    (
        f'a whole number from 1 to {MOST - 1}, or null',
        _or_null(_is_count),
        'attn_norm_num_groups num_attention_heads num_train_timesteps '
        'vq_embed_dim',
    ),
    (
        f'a whole number from 1 to {MOST - 1}, or a list of them',
        _is_count_or_counts,
        'layers_per_block transformer_layers_per_block',
    ),
    (
        'a whole number from 1, a list of them, or null',
        _or_null(_is_count_or_counts),
        'attention_head_dim cross_attention_dim sample_size',
    ),
    (
        'a list of whole numbers from 1',
        _list_of(_is_count),
        'block_out_channels',
    ),
    (
        'a list of names',
        _list_of(_is_text),
        'down_block_types up_block_types',
    ),
    (
        'a whole number from 0',
        lambda value: value == 0 or _is_count(value),
        'steps_offset',
    ),
    ('a number', _is_number, 'dropout'),
    (
        'a number above 0',
        lambda value: _is_number(value) and value > 0,
        'beta_start beta_end clip_sample_range scaling_factor',
    ),
    (
        'a list of numbers, or null',
        _or_null(_list_of(_is_number)),
        'trained_betas',
    ),
    (
        'true or false',
        lambda value: isinstance(value, bool),
        'clip_sample mid_block_add_attention rescale_betas_zero_snr '
        'set_alpha_to_one skip_prk_steps',
    ),
    (
        'a name',
        _is_text,
        'algorithm_type beta_schedule final_sigmas_type prediction_type '
        'resnet_time_scale_shift',
    ),
    ('a name, or null', _or_null(_is_text), 'variance_type'),
    (
        f'one of {", ".join(SPACINGS)}',
        lambda value: isinstance(value, str) and value in SPACINGS,
        'timestep_spacing',
    ),
)
EXPECTED = {
    key: (words, is_kind)
    for words, is_kind, keys in KINDS
    for key in keys.split()
}


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
