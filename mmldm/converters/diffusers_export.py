"""Models of ours as folders of diffusers, which need none of our code."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from mmldm.registry import MODELS

from .diffusers_denoiser import denoiser_to_diffusers
from .diffusers_denoiser_config import denoiser_to_diffusers_config
from .diffusers_files import (
    CONFIG,
    PIPELINE,
    SCHEDULER,
    STEMS,
    write_json,
    write_weights,
)
from .diffusers_first_stage import (
    first_stage_to_diffusers,
    first_stage_to_diffusers_config,
    latent_scale,
)
from .diffusers_folder import TOKENIZER
from .diffusers_process import scheduler_to_diffusers
from .diffusers_text import (
    text_encoder_to_diffusers,
    text_encoder_to_diffusers_config,
    transformer_to_diffusers,
    transformer_to_diffusers_config,
)

TEXT_TO_IMAGE = 'LDMTextToImagePipeline'
SUPER_RESOLUTION = 'LDMSuperResolutionPipeline'
STABLE = 'StableDiffusionPipeline'


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


@dataclass
class Folder:
    """What will be in a folder.

    Attributes:
        files: Contents of JSON files, by path.
        weights: By path of their file.
        tokenizer: That our embedder has, or None.
        notes: In what it is not as ours, in words.
    """

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    weights: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    tokenizer: Any = None
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        part: str,
        config: dict[str, Any],
        weights: dict[str, Tensor],
        stem: str = STEMS[0],
    ) -> None:
        """A part with weights; '' for the folder itself."""
        self.files[str(Path(part, CONFIG))] = config
        self.weights[str(Path(part, f'{stem}.safetensors'))] = weights

    def write(self, out_dir: Path) -> None:
        """Write all, the index last: a folder with one is whole."""
        for path, weights in self.weights.items():
            write_weights(out_dir / path, weights)
        if self.tokenizer is not None:
            _write_tokenizer(self.tokenizer, out_dir / TOKENIZER)
        for path, content in self.files.items():
            write_json(out_dir / path, content)


def write_diffusers(
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
    out_dir: str | Path,
) -> list[str]:
    """Write a model as a folder that diffusers reads.

    Nothing is written unless all can be expressed.

    Args:
        weights: All that the model holds, by name.
        config: Of the editor, ``LatentDiffusion`` with an ``image_size``, or
            ``FirstStage``.
        out_dir: Made where it is missing.

    Returns:
        What was written, and in what it differs from ours, in words.

    Raises:
        ValueError: If diffusers has no such network or process, or the
            tokenizer is not to be had.
    """
    if config['type'] == 'FirstStage':
        folder = Folder()
        kind = _add_first_stage(folder, '', weights, config)
        written = f'{kind} alone'
    elif config['type'] == 'LatentDiffusion':
        folder, pipeline = _diffusion(weights, config)
        written = pipeline or 'the parts of no pipeline'
    else:
        raise ValueError(
            f'model.type={config["type"]!r} has no counterpart in diffusers; '
            'LatentDiffusion and FirstStage have'
        )
    if folder.tokenizer is not None:
        _ = folder.tokenizer.tokenizer  # before anything is written
    folder.write(Path(out_dir))
    return [f'{written}: {", ".join(folder.files)}', *folder.notes]


def _part(name: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a part of the model, by name in the part."""
    start = f'{name}.'
    return {
        key.removeprefix(start): weight
        for key, weight in weights.items()
        if key.startswith(start)
    }


def _add_first_stage(
    folder: Folder,
    part: str,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
) -> str:
    """The first stage; returns its class."""
    own = _part('autoencoder', weights)
    theirs = first_stage_to_diffusers_config(
        config['autoencoder'],
        latent_scale(own),
        config.get('image_size') or 256,
    )
    found = first_stage_to_diffusers(own, config['autoencoder'])
    folder.add(part, theirs, found)
    return theirs['_class_name']


def _diffusion(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[Folder, str | None]:
    """All parts, and the pipeline that draws with them, if there is one."""
    folder = Folder()
    embedders = config['conditioner'].get('embedders') or ()
    text = _text(embedders)
    first_stage = text.first_stage if text else 'vqvae'
    kind = _add_first_stage(folder, first_stage, weights, config)
    vae = folder.files[f'{first_stage}/{CONFIG}']
    factor = 2 ** (len(vae['block_out_channels']) - 1)
    unet = denoiser_to_diffusers_config(
        config['denoiser'], _image_size(config) // factor
    )
    found = denoiser_to_diffusers(
        _part('denoiser', weights), config['denoiser']
    )
    folder.add('unet', unet, found)
    pipeline, why_not = _pipeline(embedders, text, unet, vae)
    scheduler, notes = scheduler_to_diffusers(
        config['diffusion_scheduler'],
        scales_input=pipeline != TEXT_TO_IMAGE,
    )
    if pipeline == STABLE and scheduler['timestep_spacing'] != 'leading':
        scheduler['steps_offset'] = 1  # read by nothing, but warned of
    folder.files[f'scheduler/{SCHEDULER}'] = scheduler
    index = dict(
        _class_name=pipeline,
        scheduler=['diffusers', scheduler['_class_name']],
        unet=['diffusers', unet['_class_name']],
    )
    index[first_stage] = ['diffusers', kind]
    if text is not None:
        own = _part('conditioner.embedders.0', weights)
        _add_text(folder, text, own, embedders[0])
        index[text.name] = list(text.kind)
        index[TOKENIZER] = ['transformers', text.tokenizer]
        index |= WITHOUT if text.name == 'text_encoder' else {}
    if pipeline is not None:
        folder.files[PIPELINE] = index
    else:
        folder.notes.append(f'No pipeline draws with these parts: {why_not}')
    folder.notes += [*notes, *_notes(config, pipeline, scheduler, factor)]
    return folder, pipeline


def _image_size(config: Mapping[str, Any]) -> int:
    """Side of the images that a pipeline draws unless it is told."""
    size = config.get('image_size')
    if size is None:
        raise ValueError(
            'model.image_size is not given, the side in pixels of the images '
            'that a pipeline draws unless it is told another: set it'
        )
    return size


def _text(embedders: list[Mapping[str, Any]]) -> TextPart | None:
    """The text encoder there, if there is one, and nothing else."""
    if len(embedders) != 1:
        return None
    (embedder,) = embedders
    tokenizer = embedder.get('tokenizer')
    words = not isinstance(tokenizer, Mapping) or (
        tokenizer['type'] == 'BertTokens'
    )
    return TEXT.get(embedder['type']) if words else None


def _pipeline(
    embedders: list[Mapping[str, Any]],
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


def _add_text(
    folder: Folder,
    text: TextPart,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
) -> None:
    theirs = text.to_config(config)
    folder.add(text.name, theirs, text.to_weights(weights, config), STEMS[1])
    folder.tokenizer = _tokenizer(config)


def _tokenizer(config: Mapping[str, Any]) -> Any:
    """What turns captions into tokens, without the network that reads them."""
    tokenizer = config['tokenizer']
    if isinstance(tokenizer, Mapping):
        return MODELS.build(dict(tokenizer))
    from mmldm.models.conditioners.text_encoder import ClipTokens

    return ClipTokens(tokenizer, config.get('max_length', LENGTH))


def _write_tokenizer(tokenizer: Any, folder: Path) -> None:
    """A folder as it is; of a name, what transformers has of it."""
    source = Path(tokenizer.pretrained)
    if source.is_dir():
        if source.resolve() != folder.resolve():
            shutil.copytree(source, folder, dirs_exist_ok=True)
    else:
        tokenizer.tokenizer.save_pretrained(folder)


def _notes(
    config: Mapping[str, Any],
    pipeline: str | None,
    scheduler: Mapping[str, Any],
    factor: int,
) -> list[str]:
    """What else is not as ours."""
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
    kinds = [e['type'] for e in config['conditioner'].get('embedders') or ()]
    if pipeline is None and kinds:
        notes.append(f'What {", ".join(kinds)} learned is left out')
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
