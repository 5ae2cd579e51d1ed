"""Folders of diffusers, read as models of ours.

A folder is a pipeline of latent diffusion or a first stage. Names and defaults
are those of diffusers 0.42, which need not be installed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from ..editors import DROP_PROB, first_stage_editor
from ..key_mapping import under
from .denoiser import read_unet
from .denoiser_config import denoiser_from_diffusers_config
from .files import (
    CONFIG,
    PIPELINE,
    SCHEDULER,
    read_json,
    read_weights,
)
from .first_stage import (
    FIRST_STAGE_KEYS,
    KINDS,
    first_stage_from_diffusers_config,
)
from .pipelines import PIPELINES, TEXT, Pipeline
from .process import scheduler_from_diffusers

TOKENIZER = 'tokenizer'
# Parts that do not change generated images.
UNUSED = {
    'feature_extractor': 'it prepares images for the safety checker',
    'image_encoder': 'it is for adapters, which this model does not have',
    'safety_checker': 'it looks at finished images',
}
# Keys of a first stage that pipelines of latent diffusion ignore.
UNUSED_SCALE = dict(shift_factor=None, latents_mean=None, latents_std=None)


class FromDiffusers(NamedTuple):
    """A converted model, and notes about it.

    Attributes:
        config: Config of the editor.
        weights: All weights that the editor loads, by name.
        notes: Sentences about parts that are left out and other differences.
    """

    config: dict[str, Any]
    weights: dict[str, Tensor]
    notes: list[str]


def read_diffusers(
    folder: str | Path, tokenizer: str | None = None
) -> FromDiffusers:
    """Read the model in a folder that diffusers saved.

    Args:
        folder: Folder of a latent diffusion pipeline, or of an
            ``AutoencoderKL`` or ``VQModel``.
        tokenizer: Folder or name of the tokenizer, for the config; None for
            the one in ``folder``.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the model is another one, or has no counterpart.
    """
    folder = Path(folder)
    if (folder / PIPELINE).is_file():
        tokenizer = tokenizer or str((folder / TOKENIZER).resolve())
        return _read_pipeline(folder, tokenizer)
    if not is_diffusers(folder):
        raise FileNotFoundError(
            f'{folder} is no folder of diffusers: it has neither {PIPELINE}, '
            f'of a pipeline, nor {CONFIG}, of a first stage. Models on '
            'huggingface.co must be downloaded first'
        )
    autoencoder, weights = _read_part(
        folder, first_stage_from_diffusers_config, FIRST_STAGE_KEYS.read
    )
    config = first_stage_editor(autoencoder)
    return FromDiffusers(config, under('autoencoder.', weights), [])


def is_diffusers(folder: str | Path) -> bool:
    """Whether :func:`read_diffusers` can read a folder."""
    return any((Path(folder) / name).is_file() for name in (PIPELINE, CONFIG))


def _read_part(
    folder: Path, to_config: Callable, read: Callable
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and weights of one part; errors name its folder."""
    theirs = read_json(folder / CONFIG)
    try:
        config = to_config(theirs)
        return config, read(read_weights(folder), config)
    except ValueError as error:
        raise ValueError(f'{folder}: {error}') from error
    except (TypeError, ZeroDivisionError, LookupError) as error:
        raise ValueError(
            f'{folder}: a value in {CONFIG} is of a wrong kind ({error})'
        ) from error


def _read_pipeline(folder: Path, tokenizer: str) -> FromDiffusers:
    """Read a latent diffusion model, part by part."""
    index = read_json(folder / PIPELINE)
    name = index.get('_class_name')
    if not isinstance(name, str) or name not in PIPELINES:
        raise ValueError(
            f'{folder}: _class_name={name!r} in {PIPELINE} cannot be '
            f'converted; these can: {", ".join(PIPELINES)}, and folders of '
            f'{" and ".join(KINDS)} alone{_stage_alone(folder)}'
        )
    pipeline = PIPELINES[name]
    _check_parts(folder, index, pipeline)
    autoencoder, weights = _read_first_stage(folder, pipeline)
    weights = under('autoencoder.', weights)
    denoiser, found = _read_part(
        folder / 'unet', denoiser_from_diffusers_config, read_unet
    )
    weights |= under('denoiser.', found)
    conditioner, found = _read_conditioner(folder, pipeline, tokenizer)
    weights |= under('conditioner.embedders.0.', found)
    scheduler, notes = _read_scheduler(folder, pipeline)
    guidance = dict(type='NoGuidance')
    if pipeline.guidance is not None:
        scale = pipeline.guidance
        guidance = dict(
            type='ClassifierFreeGuidance', scale=scale, rescale_of='output'
        )
    config = dict(
        type='LatentDiffusion',
        autoencoder=autoencoder,
        denoiser=denoiser,
        conditioner=conditioner,
        diffusion_scheduler=scheduler,
        guidance=guidance,
        image_size=_image_size(folder, autoencoder),
    )
    return FromDiffusers(
        config, weights, notes + _left_out(folder, index, pipeline)
    )


def _stage_alone(folder: Path) -> str:
    """Advice to take the first stage of a pipeline."""
    stages = [name for name in ('vae', 'vqvae') if (folder / name).is_dir()]
    return f', such as {folder / stages[0]}' if stages else ''


def _check_parts(
    folder: Path, index: Mapping[str, Any], pipeline: Pipeline
) -> None:
    """Raise if a part is missing, or an unknown part may change images."""
    needed = [pipeline.first_stage, 'unet', 'scheduler']
    if pipeline.text is not None:
        needed += [pipeline.text.name, TOKENIZER]
    for part in needed:
        if not (folder / part).is_dir():
            raise FileNotFoundError(
                f'{folder / part} does not exist, but {PIPELINE} lists it: '
                'download the whole folder'
            )
    for part, kind in index.items():
        if _is_given(kind) and part not in needed and part not in UNUSED:
            raise ValueError(
                f'{folder}: the part {part!r} of {PIPELINE} is not known, '
                f'and may change the images; known are '
                f'{", ".join([*needed, *UNUSED])}'
            )


def _left_out(
    folder: Path, index: Mapping[str, Any], pipeline: Pipeline
) -> list[str]:
    """Sentences about parts and keys that the pipeline does not use."""
    stage = read_json(folder / pipeline.first_stage / CONFIG)
    return [
        f'{part} is left out: {reason}'
        for part, reason in UNUSED.items()
        if _is_given(index.get(part))
    ] + [
        f'{key}={stage[key]} of {pipeline.first_stage} is left out: this '
        'pipeline uses only scaling_factor'
        for key in UNUSED_SCALE
        if stage.get(key)
    ]


def _is_given(kind: Any) -> bool:
    """Whether a pipeline has a part: [library, class], not nulls."""
    return isinstance(kind, list) and bool(kind) and kind[-1] is not None


def _read_first_stage(
    folder: Path, pipeline: Pipeline
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The first stage as the pipeline uses it.

    Super-resolution does not scale latents, and no pipeline shifts them.
    """
    unused = {**UNUSED_SCALE} | (
        dict(scaling_factor=1.0) if pipeline.small_image else {}
    )
    return _read_part(
        folder / pipeline.first_stage,
        lambda theirs: first_stage_from_diffusers_config({**theirs, **unused}),
        FIRST_STAGE_KEYS.read,
    )


def _read_conditioner(
    folder: Path, pipeline: Pipeline, tokenizer: str
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config of the conditioner, and weights of its embedder."""
    if pipeline.small_image:
        embedder = dict(type='LowResolution')
        return dict(type='Conditioner', embedders=[embedder]), {}
    if pipeline.text is None:
        return dict(type='Conditioner'), {}
    part = folder / pipeline.text.name
    kind = read_json(part / CONFIG).get('model_type')
    known = {text.model_type: text for text in TEXT.values()}
    if not isinstance(kind, str) or kind not in known:
        raise ValueError(
            f'{part}: model_type={kind!r} cannot be converted as a text '
            f'encoder; these can: {", ".join(known)}'
        )
    embedder, weights = _read_part(
        part,
        lambda theirs: known[kind].from_config(theirs, tokenizer),
        known[kind].keys.read,
    )
    conditioner = dict(
        type='Conditioner', embedders=[embedder], drop_prob=DROP_PROB
    )
    return conditioner, weights


def _read_scheduler(
    folder: Path, pipeline: Pipeline
) -> tuple[dict[str, Any], list[str]]:
    part = folder / 'scheduler'
    theirs = read_json(part / SCHEDULER) | dict(pipeline.overrides)
    try:
        return scheduler_from_diffusers(theirs, pipeline.num_steps)
    except ValueError as error:
        raise ValueError(f'{part}: {error}') from error


def _image_size(folder: Path, autoencoder: Mapping[str, Any]) -> int | None:
    """Default side of the images that the model generates."""
    size = read_json(folder / 'unet' / CONFIG).get('sample_size')
    factor = 2 ** (len(autoencoder['channel_mults']) - 1)
    if isinstance(size, list) and len(set(size)) == 1:
        size = size[0]
    return size * factor if isinstance(size, int) else None
