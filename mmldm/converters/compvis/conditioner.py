"""Conditions of the original code of Rombach et al. 2022.

``ldm/modules/encoders/modules.py``, and what ``LatentDiffusion`` makes of it;
names and defaults are those of github.com/CompVis/latent-diffusion at a506df5
and, for CLIP, of github.com/CompVis/stable-diffusion at 21f890f.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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
# Our slots by the original's conditioning_key.
SLOTS = {'concat': 'spatial', 'crossattn': 'tokens'}


class Surroundings(NamedTuple):
    """What the rest of a model says of its condition.

    Attributes:
        key: ``cond_stage_key``, the name of the condition in the data.
        latent_channels: Of the first stage.
        dims: Channels that the denoiser takes, by slot; None or 0 for none.
    """

    key: str
    latent_channels: int
    dims: Mapping[str, int | None]


class Reading(NamedTuple):
    """What is read of a condition.

    Attributes:
        config: Of our embedder.
        slot: That it fills.
        dim: Its channels there.
        scale: Of guidance in the original's scripts; None where they have
            none, or no condition that says nothing was trained.
    """

    config: dict[str, Any]
    slot: str
    dim: int
    scale: float | None = None


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
    found = _read(original['cond_stage_config'], original, around)
    _check_fits(found, around)
    if found is None:
        return dict(type='Conditioner'), dict(type='NoGuidance')
    guidance = dict(type='NoGuidance')
    if found.scale is not None:
        guidance = dict(type='ClassifierFreeGuidance', scale=found.scale)
    return dict(type='Conditioner', embedders=[found.config]), guidance


def _read(
    stage: Any, original: Mapping[str, Any], around: Surroundings
) -> Reading | None:
    """What a ``cond_stage_config`` says; None of an unconditional model."""
    if stage == UNCONDITIONAL:
        return None
    slot = _slot(original)
    if stage == FIRST_STAGE:
        found = _masked_image(around)
    elif isinstance(stage, Mapping) and stage.get('target') in READERS:
        params = dict(stage.get('params') or {})
        with within('cond_stage_config'):
            found = READERS[stage['target']](params, slot, around)
    else:
        target = stage.get('target') if isinstance(stage, Mapping) else stage
        raise ValueError(
            f'params.cond_stage_config of {target!r} cannot be converted; '
            f'these can: {UNCONDITIONAL}, {FIRST_STAGE}, {", ".join(READERS)}'
        )
    if found.slot != slot:
        raise ValueError(
            f'params.cond_stage_config yields {found.slot}, which does not '
            f'suit the conditioning_key, which asks for {slot}'
        )
    return found


def _slot(original: Mapping[str, Any]) -> str:
    """Where the condition enters the denoiser."""
    key = original.get('conditioning_key')
    if key is None:
        key = 'concat' if original.get('concat_mode', True) else 'crossattn'
    if key not in SLOTS:
        raise ValueError(
            f'params.conditioning_key={key!r} is not supported: only '
            f'{", ".join(map(repr, SLOTS))} are'
        )
    return SLOTS[key]


def _check_fits(found: Reading | None, around: Surroundings) -> None:
    """Raise unless the denoiser takes what the condition yields."""
    filled = {} if found is None else {found.slot: found.dim}
    for slot, key in (
        ('spatial', 'in_channels'),
        ('tokens', 'context_dim'),
    ):
        takes, yields = around.dims[slot] or 0, filled.get(slot, 0)
        if takes != yields:
            raise ValueError(
                f'params.unet_config.params.{key} leaves {takes} channels '
                f'for {slot}, but params.cond_stage_config yields {yields}: '
                'take the yaml file that the model was trained with'
            )


def _masked_image(around: Surroundings) -> Reading:
    """Its latent and its mask, as of scripts/inpaint.py there."""
    channels = around.latent_channels
    return Reading(
        dict(type='MaskedImage', latent_channels=channels),
        'spatial',
        channels + 1,
    )


def _identity(
    params: dict[str, Any], slot: str, around: Surroundings
) -> Reading:
    """A small image beside the latent, or tokens that come embedded."""
    check_rest(params, {}, ())
    dim = around.dims[slot] or 0
    if slot == 'spatial':
        config = dict(type='LowResolution', channels=dim)
    else:
        config = dict(type='GivenFeatures', embed_dim=dim)
    return Reading(config, slot, dim)


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
    dim = params.pop('out_channels')
    config = dict(
        type='SemanticMap',
        num_classes=params.pop('in_channels', 3),
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
