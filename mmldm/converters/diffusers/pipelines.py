"""Pipelines of diffusers, and which of them draws as a model of ours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .text import (
    text_encoder_to_diffusers,
    text_encoder_to_diffusers_config,
    transformer_to_diffusers,
    transformer_to_diffusers_config,
)

TEXT_TO_IMAGE = 'LDMTextToImagePipeline'
SUPER_RESOLUTION = 'LDMSuperResolutionPipeline'
STABLE = 'StableDiffusionPipeline'

# Embedders that learn nothing.
WITHOUT_WEIGHTS = (
    'FilledImage',
    'GivenFeatures',
    'LowResolution',
    'MaskedImage',
)


class TextPart(NamedTuple):
    """A text encoder there.

    Attributes:
        pipeline: That has it.
        first_stage: What that calls the first stage.
        name: Of its folder.
        kind: Library and class.
        tokenizer: Class of its tokenizer.
        to_config: From our config.
        to_weights: From our weights and config.
    """

    pipeline: str
    first_stage: str
    name: str
    kind: tuple[str, str]
    tokenizer: str
    to_config: Callable
    to_weights: Callable


# By type of our embedder.
TEXT = {
    'TokenTransformer': TextPart(
        TEXT_TO_IMAGE,
        'vqvae',
        'bert',
        ('latent_diffusion', 'LDMBertModel'),
        'BertTokenizer',
        transformer_to_diffusers_config,
        transformer_to_diffusers,
    ),
    'TextEncoder': TextPart(
        STABLE,
        'vae',
        'text_encoder',
        ('transformers', 'CLIPTextModel'),
        'CLIPTokenizer',
        text_encoder_to_diffusers_config,
        text_encoder_to_diffusers,
    ),
}
# What the pipeline of Stable Diffusion can do without.
WITHOUT = dict(
    feature_extractor=[None, None],
    image_encoder=[None, None],
    requires_safety_checker=False,
    safety_checker=[None, None],
)
# What LDMTextToImagePipeline takes every model to be.
FACTOR, LENGTH = 8, 77


def text_part(embedders: Sequence[Mapping[str, Any]]) -> TextPart | None:
    """The text encoder there, if there is one, and nothing else."""
    if len(embedders) != 1:
        return None
    (embedder,) = embedders
    tokenizer = embedder.get('tokenizer')
    words = not isinstance(tokenizer, Mapping) or (
        tokenizer['type'] == 'BertTokens'
    )
    return TEXT.get(embedder['type']) if words else None


def choose_pipeline(
    embedders: Sequence[Mapping[str, Any]],
    text: TextPart | None,
    unet: Mapping[str, Any],
    vae: Mapping[str, Any],
) -> tuple[str | None, str]:
    """The pipeline that draws as ours, or why there is none."""
    kinds = [embedder['type'] for embedder in embedders]
    if not kinds:
        return 'LDMPipeline', ''
    if text is not None:
        length = embedders[0].get('max_length', LENGTH)
        if length == LENGTH or text.pipeline == STABLE:
            return text.pipeline, ''
        return None, (
            f'{text.pipeline} takes captions of {LENGTH} tokens, and this '
            f'model {length}'
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
    return None, f'diffusers has none of conditions by {", ".join(kinds)}'


def differences(
    config: Mapping[str, Any],
    pipeline: str | None,
    scheduler: Mapping[str, Any],
    factor: int,
) -> list[str]:
    """In what a pipeline is not as ours, its scheduler apart, in words."""
    notes = []
    guidance = config['guidance']
    if guidance['type'] == 'ClassifierFreeGuidance':
        scale = guidance.get('scale', 2.0)
        notes.append(f'guidance_scale={scale} is to be given in the call')
    elif guidance['type'] != 'NoGuidance':
        notes.append(f'{guidance["type"]} has no counterpart: left out')
    elif pipeline == STABLE:
        notes.append('guidance_scale=1 is to be given in the call')
    if config.get('log_variance'):
        notes.append('log_variance, which weighs losses, is left out')
    learned = [
        embedder['type']
        for embedder in config['conditioner'].get('embedders') or ()
        # Classes in the vector are part of the UNet there.
        if embedder['type'] not in WITHOUT_WEIGHTS
        and embedder.get('slot') != 'vector'
    ]
    if pipeline is None and learned:
        notes.append(f'What {", ".join(learned)} learned is left out')
    if pipeline == TEXT_TO_IMAGE and factor != FACTOR:
        notes.append(
            f'{pipeline} takes {FACTOR} pixels for a latent position, which '
            f'are {factor}: ask it for height and width times '
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
