"""Export of our models as folders of diffusers, without our code."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils.image_size import height_and_width

from ..key_mapping import part_of, without_memory
from .class_embedding import vector_classes
from .denoiser import unet_keys
from .denoiser_config import denoiser_to_diffusers_config
from .files import (
    CONFIG,
    PIPELINE,
    SCHEDULER,
    STEMS,
    write_json,
    write_weights,
)
from .first_stage import (
    FIRST_STAGE_KEYS,
    first_stage_class,
    first_stage_to_diffusers_config,
)
from .folder import TOKENIZER
from .grey_images import fold_grey
from .latent_scale import fold_latent_scale, scale_keys
from .library_stage import LIBRARY, library_stage
from .pipelines import (
    LENGTH,
    PIPELINES,
    STABLE,
    TEXT_TO_IMAGE,
    Pipeline,
    TextPart,
    choose_pipeline,
    differences,
    text_pipeline,
)
from .process import scheduler_to_diffusers


@dataclass
class Folder:
    """Content of a folder before it is written.

    Attributes:
        files: Contents of JSON files, by path.
        weights: Weights of each file, by path.
        tokenizer: Tokenizer of our embedder, or None.
        notes: Sentences about differences from our model.
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
        """Add a part with weights; '' is the folder itself."""
        self.files[str(Path(part, CONFIG))] = config
        self.weights[str(Path(part, f'{stem}.safetensors'))] = weights

    def write(self, out_dir: Path) -> None:
        """Write all files, the index last: a folder with index is complete."""
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

    Nothing is written unless the whole model can be expressed.

    Args:
        weights: All weights of the model, by name.
        config: Config of the editor, a ``LatentDiffusion`` with an
            ``image_size`` or a ``FirstStage``.
        out_dir: Folder to write, created if it is missing.

    Returns:
        Sentences about the written files, and differences from our model.

    Raises:
        ValueError: If diffusers has no such network or process, or the
            tokenizer is not available.
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


def _add_first_stage(
    folder: Folder,
    part: str,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
) -> str:
    """Add the first stage; return the name of its class.

    Alone, it keeps its convolutions, and a shift or a scale per channel has
    keys of its own. Pipelines of latent diffusion ignore these keys.
    """
    own, stage = part_of(weights, 'autoencoder.'), config['autoencoder']
    if stage['type'] == LIBRARY:
        theirs, found = library_stage(own, stage)
        folder.add(part, theirs, found)
        return theirs['_class_name']
    own, stage = fold_grey(own, stage)
    if config['type'] != 'FirstStage':
        own, stage, notes = fold_latent_scale(own, stage)
        folder.notes += notes
    scale = scale_keys(own, first_stage_class(stage))
    theirs = first_stage_to_diffusers_config(
        stage, scale, config.get('image_size') or 256
    )
    found = FIRST_STAGE_KEYS.write(own, stage)
    folder.add(part, theirs, found)
    return theirs['_class_name']


def _diffusion(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[Folder, str | None]:
    """Add all parts; return the name of the pipeline that uses them."""
    folder = Folder()
    embedders = config['conditioner'].get('embedders') or ()
    parts = PIPELINES.get(text_pipeline(embedders), Pipeline())
    kind = _add_first_stage(folder, parts.first_stage, weights, config)
    vae = folder.files[f'{parts.first_stage}/{CONFIG}']
    factor = without_memory(config['autoencoder']).factor
    unet = _add_unet(folder, weights, config, factor)
    pipeline, why_not = choose_pipeline(embedders, unet, vae)
    scheduler, notes = scheduler_to_diffusers(
        config['diffusion_scheduler'],
        scales_input=pipeline != TEXT_TO_IMAGE,
    )
    spacing = scheduler.get('timestep_spacing', 'leading')
    if pipeline == STABLE and spacing != 'leading':
        scheduler['steps_offset'] = 1  # ignored, avoids a warning
    folder.files[f'scheduler/{SCHEDULER}'] = scheduler
    index = {
        '_class_name': pipeline,
        'scheduler': ['diffusers', scheduler['_class_name']],
        'unet': ['diffusers', unet['_class_name']],
        parts.first_stage: ['diffusers', kind],
        **parts.without,
    }
    if parts.text is not None:
        own = part_of(weights, 'conditioner.embedders.0.')
        _add_text(folder, parts.text, own, embedders[0])
        index[parts.text.name] = list(parts.text.kind)
        index[TOKENIZER] = ['transformers', parts.text.tokenizer]
    if pipeline is not None:
        folder.files[PIPELINE] = index
    else:
        folder.notes.append(f'No pipeline uses these parts: {why_not}')
    folder.notes += [*notes, *differences(config, pipeline, scheduler, factor)]
    return folder, pipeline


def _add_unet(
    folder: Folder,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
    factor: int,
) -> dict[str, Any]:
    """Add the denoiser, and classes in its vector; return its config."""
    denoiser = dict(config['denoiser'])
    classes = vector_classes(config)
    if classes is not None:
        denoiser['vector_dim'] = None
    unet = denoiser_to_diffusers_config(
        denoiser, _image_size(config) // factor
    )
    own = part_of(weights, 'denoiser.')
    found = unet_keys(denoiser).write(own, denoiser)
    if classes is not None:
        unet |= classes.config
        found |= classes.weights(weights)
        folder.notes.append(classes.note)
    folder.add('unet', unet, found)
    return unet


def _image_size(config: Mapping[str, Any]) -> int:
    """Default side of the images that a pipeline generates."""
    size = config.get('image_size')
    if size is None:
        raise ValueError(
            'model.image_size is missing, the default side in pixels of the '
            'images that a pipeline generates: set it'
        )
    height, width = height_and_width(size)
    if height != width:
        raise ValueError(
            f'model.image_size={height}x{width} is no square, but the default '
            'size of pipelines is one: give its side, --image-size'
        )
    return height


def _add_text(
    folder: Folder,
    text: TextPart,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
) -> None:
    theirs = text.to_config(config)
    found = text.to_weights(weights, config)
    folder.add(text.name, theirs, found, STEMS[1])
    folder.tokenizer = _tokenizer(config)


def _tokenizer(config: Mapping[str, Any]) -> Any:
    """The tokenizer of a text encoder, without building its network."""
    tokenizer = config['tokenizer']
    if isinstance(tokenizer, Mapping):
        return MODELS.build(dict(tokenizer))
    from mmldm.models.conditioners.text_encoder import ClipTokens

    length = config.get('max_length', LENGTH)
    return ClipTokens(tokenizer, length, config.get('pad_id'))


def _write_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Copy the tokenizer's folder, or save what its name refers to."""
    source = Path(tokenizer.pretrained)
    pads = getattr(tokenizer, 'pad_id', None)
    if source.is_dir() and pads is None:
        if source.resolve() != folder.resolve():
            shutil.copytree(source, folder, dirs_exist_ok=True)
    else:
        tokenizer.tokenizer.save_pretrained(folder)
