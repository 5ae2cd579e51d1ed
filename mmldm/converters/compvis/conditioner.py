"""Conditions of the original code of Rombach et al. 2022.

``ldm/modules/encoders/modules.py``, and its use in ``LatentDiffusion``. Names
and defaults are those of github.com/CompVis/latent-diffusion at a506df5 and,
for CLIP, of github.com/CompVis/stable-diffusion at 21f890f.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..editors import DROP_PROB
from ..key_table import UNSAID, Given, Key, KeyTable, fixed, ignored
from ..kinds import BOOL, COUNT
from .clip import CLIP_READERS
from .condition_slots import (
    INPAINTING,
    Reading,
    Surroundings,
    check_fits,
    check_slot,
    condition_slots,
    given_condition,
    masked_image,
    precomputed_features,
    small_image,
)
from .params import MODULES, PARAMS, table, target_and_params, within

UNCONDITIONAL = '__is_unconditional__'
FIRST_STAGE = '__is_first_stage__'
WORDS = UNCONDITIONAL, FIRST_STAGE
IDENTITY = 'torch.nn.Identity'
BERT = 'bert-base-uncased'
BERT_VOCABULARY = 30522
# Classes of the published models of ImageNet, without and with 'no class'.
IMAGENET = 1000, 1001
# Tokens per object, and tokens for the two corners of the crop.
LAYOUT, OBJECT, CORNERS = 'coordinates_bbox', 3, 2


def conditioner_config(
    original: Mapping[str, Any],
    latent_channels: int,
    denoiser: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The conditioner, and the guidance of the original's scripts.

    Args:
        original: ``params`` of a ``LatentDiffusion`` of the original,
            with all defaults.
        latent_channels: Latent channels of the first stage.
        denoiser: Result of :func:`denoiser_config`.

    Raises:
        ValueError: If the condition is unknown, or does not fit the
            denoiser.
    """
    around = Surroundings(
        original['cond_stage_key'],
        latent_channels,
        dict(
            spatial=denoiser['in_channels'] - latent_channels,
            tokens=denoiser['context_dim'],
        ),
    )
    readings = _read(original['cond_stage_config'], original, around)
    check_fits(readings, around)
    if not readings:
        return dict(type='Conditioner'), dict(type='NoGuidance')
    embedders = [found.config for found in readings]
    conditioner = dict(type='Conditioner', embedders=embedders)
    return conditioner | _dropping(readings), _guidance(readings)


def _dropping(readings: Sequence[Reading]) -> dict[str, Any]:
    """How often training drops the condition that guidance needs."""
    if readings[0].scale is None:
        return {}
    others = [0.0] * (len(readings) - 1)
    return dict(drop_prob=[DROP_PROB, *others] if others else DROP_PROB)


def _guidance(readings: Sequence[Reading]) -> dict[str, Any]:
    """The guidance of the original's scripts, if they use it.

    In a hybrid model, both evaluations get the other condition.
    """
    slot, scale = readings[0].slot, readings[0].scale
    if scale is None:
        return dict(type='NoGuidance')
    if len(readings) == 1:
        return dict(type='ClassifierFreeGuidance', scale=scale)
    return dict(type='SlotGuidance', scales={slot: scale})


def _read(
    stage: Any, original: Mapping[str, Any], around: Surroundings
) -> list[Reading]:
    """All conditions; that of ``cond_stage_config`` is first.

    An unconditional model has none. A hybrid model has two: the second, or
    both if the cond_stage is an identity, are given as finished tensors.
    """
    if stage == UNCONDITIONAL:
        return []
    slots = condition_slots(original)
    found = read_stage(stage, slots[0], around)
    check_slot(found, slots)
    if len(slots) == 1:
        return [found]
    if stage != FIRST_STAGE and stage['target'] == IDENTITY:
        return [given_condition(slot, around) for slot in slots]
    (other,) = set(slots) - {found.slot}
    given = given_condition(other, around)
    if found.config['type'] == 'TextEncoder' and given == masked_image(around):
        raise ValueError(INPAINTING)
    return [found, given]


def read_stage(stage: Any, slot: str, around: Surroundings) -> Reading:
    """Our counterpart of a ``cond_stage_config``.

    Args:
        stage: ``target`` and ``params``, or one of two words.
        slot: Slot of the condition in the denoiser.
        around: Facts about the rest of the model.

    Raises:
        ValueError: If there is no counterpart, or a key or value is invalid.
    """
    if stage == FIRST_STAGE:
        return masked_image(around)
    if not isinstance(stage, Mapping):
        raise ValueError(
            f'params.cond_stage_config={stage!r} cannot be converted; these '
            f'can: {", ".join((*WORDS, *READERS))}'
        )
    with within('cond_stage_config'):
        target, params = target_and_params(stage, READERS)
        table, reader = READERS[target]
        return reader(table.read(PARAMS, params), slot, around)


def _identity(given: Given, slot: str, around: Surroundings) -> Reading:
    """A small image for a spatial slot, or features given as tokens."""
    dim = around.dims[slot] or 0
    return precomputed_features(dim) if slot == 'tokens' else small_image(dim)


def _class(given: Given, slot: str, around: Surroundings) -> Reading:
    """A class; if the config has a class count, the last is 'no class'.

    This holds for the one published model with a count, and guidance needs it.
    """
    said = 'n_classes' in given
    config = dict(
        type='ClassEmbedder',
        num_classes=1000,
        null='last' if said else 'none',
    )
    dim = given['embed_dim']
    return Reading(config | given.ours, 'tokens', dim, 3.0 if said else None)


def _transformer(given: Given, slot: str, around: Surroundings) -> Reading:
    """A transformer over words, or over tokens such as those of a layout."""
    length, size = given['max_seq_len'], given['vocab_size']
    # A condition has either words or given tokens.
    words = given.get('use_tokenizer', False)
    if words:
        tokenizer = dict(type='BertTokens', pretrained=BERT, max_length=length)
    else:
        tokenizer = _given_tokens(around.key, length, size)
    config = dict(
        type='TokenTransformer', tokenizer=tokenizer, logits=True, **given.ours
    )
    return Reading(config, 'tokens', given['n_embed'], 5.0 if words else None)


def _given_tokens(key: str, length: int, size: int) -> dict[str, Any]:
    """The tokenizer for a layout of this length, or else given tokens."""
    max_objects, rest = divmod(length - CORNERS, OBJECT)
    if key != LAYOUT or rest:
        return dict(type='PrecomputedTokens')
    return dict(type='LayoutTokens', max_objects=max_objects, vocab_size=size)


def _semantic_map(given: Given, slot: str, around: Surroundings) -> Reading:
    if 'out_channels' not in given:
        raise ValueError(
            'params.out_channels is missing, and a SpatialRescaler without '
            'weights is not supported'
        )
    if given['in_channels'] == 3 and around.key != 'segmentation':
        raise given.refusal(
            'in_channels',
            f'with cond_stage_key={around.key!r} is taken for an image, for '
            'which a SpatialRescaler is not supported; if it is a map of 3 '
            "classes, write cond_stage_key: 'segmentation'",
        )
    config = dict(type='SemanticMap', **given.ours)
    return Reading(config, 'spatial', given['out_channels'])


TRANSFORMER = (
    Key('n_embed', 'embed_dim', COUNT),
    Key('n_layer', 'num_layers', COUNT),
    Key('max_seq_len', 'max_length', COUNT, 77),
    *ignored('device embedding_dropout'),
)
# Keys of each target, and the function that converts its condition.
READERS: dict[str, tuple[KeyTable, Callable[..., Reading]]] = {
    IDENTITY: (table(), _identity),
    **CLIP_READERS,
    f'{MODULES}ClassEmbedder': (
        table(
            Key('embed_dim', 'embed_dim', COUNT),
            Key('n_classes', 'num_classes', COUNT, UNSAID),
            *ignored('key'),
        ),
        _class,
    ),
    f'{MODULES}BERTEmbedder': (
        table(
            Key('vocab_size', 'vocab_size', COUNT, BERT_VOCABULARY),
            Key('use_tokenizer', '', BOOL, True),
            *TRANSFORMER,
        ),
        _transformer,
    ),
    f'{MODULES}TransformerEmbedder': (
        table(
            Key('vocab_size', 'vocab_size', COUNT),
            *ignored('use_tokenizer'),
            *TRANSFORMER,
        ),
        _transformer,
    ),
    f'{MODULES}SpatialRescaler': (
        table(
            Key('out_channels', 'embed_dim', COUNT, UNSAID),
            Key('in_channels', 'num_classes', COUNT, 3),
            Key('n_stages', 'num_stages', COUNT, 1),
            *fixed({'method': 'bilinear', 'multiplier': 0.5, 'bias': False}),
        ),
        _semantic_map,
    ),
}
