"""Conditions of the original code of Rombach et al. 2022.

``ldm/modules/encoders/modules.py``, and what ``LatentDiffusion`` makes of it;
names and defaults are those of github.com/CompVis/latent-diffusion at a506df5
and, for CLIP, of github.com/CompVis/stable-diffusion at 21f890f.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .condition_slots import (
    Reading,
    Surroundings,
    check_fits,
    check_slot,
    condition_slots,
    given_condition,
    given_features,
    masked_image,
    small_image,
)
from .params import check_required, check_rest, within
from .text import TARGET as CLIP
from .text import text_encoder_config

UNCONDITIONAL = '__is_unconditional__'
FIRST_STAGE = '__is_first_stage__'
IDENTITY = 'torch.nn.Identity'
BERT = 'bert-base-uncased'
BERT_VOCABULARY = 30522
# A layout is triples of tokens, and the two corners of the crop.
LAYOUT, OBJECT, CORNERS = 'coordinates_bbox', 3, 2


def conditioner_config(
    original: Mapping[str, Any],
    latent_channels: int,
    denoiser: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The conditioner, and the guidance of the original's scripts.

    Args:
        original: ``params`` of a ``LatentDiffusion`` of the original.
        latent_channels: Of its first stage.
        denoiser: As of :func:`denoiser_config`.

    Raises:
        ValueError: If the condition is not known, or does not fit the
            denoiser.
    """
    check_required(original, ['cond_stage_config'])
    around = Surroundings(
        original.get('cond_stage_key', 'image'),
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
    return dict(type='Conditioner', embedders=embedders), _guidance(readings)


def _guidance(readings: Sequence[Reading]) -> dict[str, Any]:
    """That of the original's scripts, if they guide by the cond_stage.

    Of a hybrid model the other condition stays in both evaluations.
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
    """The conditions, that of ``cond_stage_config`` first.

    None of an unconditional model; two of a hybrid one, the second of which
    the original is given ready-made, or both if its cond_stage is an identity.
    """
    if stage == UNCONDITIONAL:
        return []
    slots = condition_slots(original)
    found = _read_stage(stage, slots[0], around)
    check_slot(found, slots)
    if len(slots) == 1:
        return [found]
    if stage != FIRST_STAGE and stage['target'] == IDENTITY:
        return [given_condition(slot, around) for slot in slots]
    (other,) = set(slots) - {found.slot}
    return [found, given_condition(other, around)]


def _read_stage(stage: Any, slot: str, around: Surroundings) -> Reading:
    """What a ``cond_stage_config`` says."""
    if stage == FIRST_STAGE:
        return masked_image(around)
    target = stage.get('target') if isinstance(stage, Mapping) else stage
    if isinstance(stage, Mapping) and target in READERS:
        with within('cond_stage_config'):
            return READERS[target](
                dict(stage.get('params') or {}), slot, around
            )
    raise ValueError(
        f'params.cond_stage_config of {target!r} cannot be converted; '
        f'these can: {UNCONDITIONAL}, {FIRST_STAGE}, {", ".join(READERS)}'
    )


def _identity(
    params: dict[str, Any], slot: str, around: Surroundings
) -> Reading:
    """A small image beside the latent, or tokens that come embedded."""
    check_rest(params, {}, ())
    dim = around.dims[slot] or 0
    return given_features(dim) if slot == 'tokens' else small_image(dim)


def _class(params: dict[str, Any], slot: str, around: Surroundings) -> Reading:
    """Where the number of classes is said, the last one is 'no class'.

    So it is in the one published model that says it, which guidance needs.
    """
    check_required(params, ['embed_dim'])
    dim, said = params.pop('embed_dim'), 'n_classes' in params
    config = dict(
        type='ClassEmbedder',
        num_classes=params.pop('n_classes', 1000),
        embed_dim=dim,
        null='last' if said else 'none',
    )
    check_rest(params, {}, ['key'])
    return Reading(config, 'tokens', dim, 3.0 if said else None)


def _transformer(
    params: dict[str, Any], slot: str, around: Surroundings
) -> Reading:
    """Over words, or over given tokens, such as those of a layout."""
    check_required(params, ['n_embed', 'n_layer'])
    dim, length = params.pop('n_embed'), params.pop('max_seq_len', 77)
    words = params.pop('use_tokenizer', True)
    size = params.pop('vocab_size', BERT_VOCABULARY)
    if words:
        tokenizer = dict(type='BertTokens', pretrained=BERT, max_length=length)
    else:
        tokenizer = _given_tokens(around.key, length, size)
    config = dict(
        type='TokenTransformer',
        tokenizer=tokenizer,
        vocab_size=size,
        max_length=length,
        embed_dim=dim,
        num_layers=params.pop('n_layer'),
        logits=True,
    )
    check_rest(params, {}, ['device', 'embedding_dropout'])
    return Reading(config, 'tokens', dim, 5.0 if words else None)


def _transformer_without_words(
    params: dict[str, Any], slot: str, around: Surroundings
) -> Reading:
    check_required(params, ['vocab_size'])
    params['use_tokenizer'] = False
    return _transformer(params, slot, around)


def _given_tokens(key: str, length: int, size: int) -> dict[str, Any]:
    """Of layouts, whose length tells how many objects there are at most."""
    max_objects, rest = divmod(length - CORNERS, OBJECT)
    if key != LAYOUT or rest:
        return dict(type='GivenTokens')
    return dict(type='LayoutTokens', max_objects=max_objects, vocab_size=size)


def _semantic_map(
    params: dict[str, Any], slot: str, around: Surroundings
) -> Reading:
    if 'out_channels' not in params:
        raise ValueError(
            'params.out_channels is missing, and a SpatialRescaler without '
            'weights is not supported'
        )
    dim, num_classes = params.pop('out_channels'), params.pop('in_channels', 3)
    if num_classes == 3 and around.key != 'segmentation':
        raise ValueError(
            f'params.cond_stage_key={around.key!r} with 3 channels is taken '
            'for an image, for which a SpatialRescaler is not supported; if '
            "it is a map of 3 classes, write cond_stage_key: 'segmentation'"
        )
    config = dict(
        type='SemanticMap',
        num_classes=num_classes,
        num_stages=params.pop('n_stages', 1),
        embed_dim=dim,
    )
    fixed = dict(method='bilinear', multiplier=0.5, bias=False)
    check_rest(params, fixed, ())
    return Reading(config, 'spatial', dim)


def _clip(params: dict[str, Any], slot: str, around: Surroundings) -> Reading:
    """The text encoder of Stable Diffusion 1."""
    config = text_encoder_config(dict(target=CLIP, params=params))
    return Reading(config, 'tokens', config['config']['hidden_size'], 7.5)


READERS: dict[str, Callable[..., Reading]] = {
    IDENTITY: _identity,
    CLIP: _clip,
    **{
        f'ldm.modules.encoders.modules.{name}': reader
        for name, reader in (
            ('ClassEmbedder', _class),
            ('BERTEmbedder', _transformer),
            ('TransformerEmbedder', _transformer_without_words),
            ('SpatialRescaler', _semantic_map),
        )
    },
}
