"""Arguments in configs of the original: none missing, none passed over."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from reprlib import repr as shorten
from typing import Any

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

# Parts of a config that are not read.
UNREAD = {'lossconfig', 'scheduler_config'}
# What every argument that is read must be, wherever it stands.
KINDS: Kinds = (
    (
        COUNT,
        is_count,
        'ch embed_dim in_channels max_length max_seq_len model_channels '
        'n_classes n_layer n_stages num_res_blocks out_ch out_channels '
        'resolution timesteps transformer_depth vocab_size z_channels',
    ),
    (f'{COUNT}, or null', or_null(is_count), 'context_dim n_embed'),
    (
        f'{COUNT}, or -1',
        lambda value: value == -1 or is_count(value),
        'num_head_channels num_heads',
    ),
    (
        'a list of whole numbers above 0',
        list_of(is_count, least=0),
        'attention_resolutions attn_resolutions',
    ),
    (
        'a list of one whole number above 0 or more',
        list_of(is_count),
        'ch_mult channel_mult',
    ),
    (
        'a number',
        is_number,
        'dropout l_simple_weight logvar_init original_elbo_weight',
    ),
    (
        'a list of numbers, or null',
        or_null(list_of(is_number, least=0)),
        'given_betas',
    ),
    (
        'a number above 0',
        is_positive,
        'cosine_s linear_end linear_start scale_factor',
    ),
    (
        'true or false',
        is_bool,
        'concat_mode double_z learn_logvar resblock_updown scale_by_std '
        'use_scale_shift_norm use_spatial_transformer use_tokenizer',
    ),
    (
        'a word',
        is_text,
        'attn_type beta_schedule loss_type parameterization target',
    ),
    (
        'a word, or null',
        or_null(is_text),
        'conditioning_key',
    ),
    (
        'a dict',
        lambda value: isinstance(value, Mapping),
        'ddconfig first_stage_config unet_config',
    ),
    (
        'a dict, or null',
        or_null(lambda value: isinstance(value, Mapping)),
        'params',
    ),
)
EXPECTED = by_key(KINDS)


def check_kinds(config: Mapping[str, Any]) -> None:
    """Raise where a value is of another kind than the original takes.

    Args:
        config: ``target`` and ``params``, and all below.

    Raises:
        ValueError: Naming the first such value.
    """
    for path, key, value in _entries(config, ''):
        words, is_kind = EXPECTED.get(key, ('', lambda _: True))
        if not is_kind(value):
            raise ValueError(
                f'{path}={shorten(value)} must be {words}: take the yaml '
                'file that the model was trained with'
            )


def _entries(
    config: Mapping[str, Any], above: str
) -> Iterator[tuple[str, str, Any]]:
    """(dotted path, key, value) of a config and the dicts in it."""
    for key, value in config.items():
        path = f'{above}{key}'
        yield path, key, value
        if isinstance(value, Mapping) and key not in UNREAD:
            yield from _entries(value, f'{path}.')


@contextmanager
def within(key: str) -> Iterator[None]:
    """Say in errors that the ``params`` they name are those of a part."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f'params.{key}: {error}') from error


def check_required(params: Mapping[str, Any], keys: Collection[str]) -> None:
    """Raise where the original has no default.

    Raises:
        ValueError: If a key is missing.
    """
    missing = [key for key in keys if key not in params]
    if missing:
        raise ValueError(
            f'params.{missing[0]} is missing, without which the original '
            'builds no such model: take the yaml file it was trained with'
        )


def check_rest(
    params: Mapping[str, Any],
    fixed: Mapping[str, Any],
    ignored: Collection[str],
) -> None:
    """Raise where a key that was not read would change the network.

    Args:
        params: What is left when all that is understood is taken out.
        fixed: The one value that our networks have, by key.
        ignored: Keys without influence on a trained network.

    Raises:
        ValueError: If another key or value is there.
    """
    for key, value in params.items():
        if key in fixed and value != fixed[key]:
            raise ValueError(
                f'params.{key}={value!r} is not supported: only '
                f'{fixed[key]!r} is'
            )
        if key not in fixed and key not in ignored:
            raise ValueError(
                f'params.{key}={value!r} is not known, and may change the '
                'network: leave the key out if it does not'
            )
