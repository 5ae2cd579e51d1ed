"""Pipelines of diffusers, and the choice of one for a model of ours."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ..key_mapping import KeyMapping
from ..transformer_names import CLIP_KEYS, LDMBERT_KEYS
from .text import (
    CLIP_KIND,
    LDMBERT_KIND,
    text_encoder_from_diffusers_config,
    text_encoder_to_diffusers,
    text_encoder_to_diffusers_config,
    transformer_from_diffusers_config,
    transformer_to_diffusers,
    transformer_to_diffusers_config,
)

UNCONDITIONAL = 'LDMPipeline'
TEXT_TO_IMAGE = 'LDMTextToImagePipeline'
SUPER_RESOLUTION = 'LDMSuperResolutionPipeline'
STABLE = 'StableDiffusionPipeline'

# Embedders without weights.
WITHOUT_WEIGHTS = (
    'FilledImage',
    'PrecomputedFeatures',
    'LowResolution',
    'MaskedImage',
)


class TextPart(NamedTuple):
    """A text encoder of diffusers, and its conversion both ways.

    Attributes:
        name: Name of its folder.
        kind: Library and class.
        model_type: Its type in its config.
        tokenizer: Class of its tokenizer.
        from_config: Makes our config from its config and a tokenizer.
        keys: Converts its weights to ours.
        to_config: Makes its config from ours.
        to_weights: Makes its weights from our weights and config.
    """

    name: str
    kind: tuple[str, str]
    model_type: str
    tokenizer: str
    from_config: Callable
    keys: KeyMapping
    to_config: Callable
    to_weights: Callable


# Text encoders by type of our embedder.
TEXT = {
    'TokenTransformer': TextPart(
        'bert',
        ('latent_diffusion', 'LDMBertModel'),
        LDMBERT_KIND,
        'BertTokenizer',
        transformer_from_diffusers_config,
        LDMBERT_KEYS,
        transformer_to_diffusers_config,
        transformer_to_diffusers,
    ),
    'TextEncoder': TextPart(
        'text_encoder',
        ('transformers', 'CLIPTextModel'),
        CLIP_KIND,
        'CLIPTokenizer',
        text_encoder_from_diffusers_config,
        CLIP_KEYS,
        text_encoder_to_diffusers_config,
        text_encoder_to_diffusers,
    ),
}


class Pipeline(NamedTuple):
    """The content of a pipeline's folder.

    Attributes:
        first_stage: Name of its first stage.
        text: Its text encoder, if it has one.
        num_steps: Default number of sampling steps.
        guidance: Guidance scale in its authors' examples; None for none.
        small_image: Whether it enlarges a small image.
        overrides: Keys that it changes in its scheduler's config.
        without: Optional parts of its index.
    """

    first_stage: str = 'vqvae'
    text: TextPart | None = None
    num_steps: int = 50
    guidance: float | None = None
    small_image: bool = False
    overrides: Mapping[str, Any] = MappingProxyType({})
    without: Mapping[str, Any] = MappingProxyType({})


PIPELINES = {
    UNCONDITIONAL: Pipeline(),
    SUPER_RESOLUTION: Pipeline(num_steps=100, small_image=True),
    TEXT_TO_IMAGE: Pipeline(text=TEXT['TokenTransformer'], guidance=5.0),
    STABLE: Pipeline(
        'vae',
        TEXT['TextEncoder'],
        guidance=7.5,
        overrides=dict(clip_sample=False, steps_offset=1),
        without=dict(
            feature_extractor=[None, None],
            image_encoder=[None, None],
            requires_safety_checker=False,
            safety_checker=[None, None],
        ),
    ),
}
# Values that LDMTextToImagePipeline assumes for every model.
FACTOR, LENGTH = 8, 77


def text_pipeline(embedders: Sequence[Mapping[str, Any]]) -> str | None:
    """The pipeline whose only condition is the text encoder of these."""
    if len(embedders) != 1:
        return None
    (embedder,) = embedders
    tokenizer = embedder.get('tokenizer')
    words = not isinstance(tokenizer, Mapping) or (
        tokenizer['type'] == 'BertTokens'
    )
    text = TEXT.get(embedder['type']) if words else None
    names = [name for name, p in PIPELINES.items() if text and p.text is text]
    return names[0] if names else None


def choose_pipeline(
    embedders: Sequence[Mapping[str, Any]],
    unet: Mapping[str, Any],
    vae: Mapping[str, Any],
) -> tuple[str | None, str]:
    """The pipeline that generates the same, or why there is none."""
    kinds = [embedder['type'] for embedder in embedders]
    if not kinds:
        return UNCONDITIONAL, ''
    if (name := text_pipeline(embedders)) is not None:
        length = embedders[0].get('max_length', LENGTH)
        if length == LENGTH or name == STABLE:
            return name, ''
        return None, (
            f'{name} takes captions of {LENGTH} tokens, and this model '
            f'{length}'
        )
    if kinds == ['LowResolution']:
        channels, scale = unet['out_channels'], vae['scaling_factor']
        if unet['in_channels'] == 2 * channels and scale == 1:
            return SUPER_RESOLUTION, ''
        return None, (
            'LDMSuperResolutionPipeline takes as many latent channels as an '
            f'image has, 3, and no scale; this model has {channels}, and '
            f'latent_scale={scale}'
        )
    return None, f'diffusers has none for conditions by {", ".join(kinds)}'


def differences(
    config: Mapping[str, Any],
    pipeline: str | None,
    scheduler: Mapping[str, Any],
    factor: int,
) -> list[str]:
    """Sentences about differences of a pipeline, except its scheduler's."""
    notes = []
    guidance = config['guidance']
    if guidance['type'] == 'ClassifierFreeGuidance':
        scale = guidance.get('scale', 2.0)
        notes.append(f'guidance_scale={scale} must be given in the call')
    elif guidance['type'] != 'NoGuidance':
        notes.append(f'{guidance["type"]} has no counterpart: left out')
    elif pipeline == STABLE:
        notes.append('guidance_scale=1 must be given in the call')
    if config.get('log_variance'):
        notes.append('log_variance, which weighs losses, is left out')
    embedders = config['conditioner'].get('embedders') or ()
    if any(embedder.get('back_projections') for embedder in embedders):
        notes.append('LowResolution.back_projections is left out')
    learned = _learned(embedders)
    if pipeline is None and learned:
        notes.append(f'What {", ".join(learned)} learned is left out')
    if pipeline == TEXT_TO_IMAGE and factor != FACTOR:
        notes.append(
            f'{pipeline} counts {FACTOR} pixels per latent position, but '
            f'this model has {factor}: multiply height and width by '
            f'{FACTOR / factor:g}'
        )
    leading = scheduler.get('timestep_spacing') == 'leading'
    if pipeline == STABLE and (
        (leading and scheduler['steps_offset'] != 1)
        or scheduler.get('clip_sample')
    ):
        notes.append(
            f'{pipeline} sets steps_offset=1 and clip_sample=False, which is '
            'not what this model samples with'
        )
    return notes


def _learned(embedders: Sequence[Mapping[str, Any]]) -> list[str]:
    """Types of embedders whose weights a UNet of diffusers does not hold."""
    return [
        embedder['type']
        for embedder in embedders
        # Classes in the vector are part of the UNet in diffusers.
        if embedder['type'] not in WITHOUT_WEIGHTS
        and embedder.get('slot') != 'vector'
    ]
