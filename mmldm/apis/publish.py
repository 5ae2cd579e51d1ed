"""Models for others: one file, without what only training needs."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from mmldm.models.conditioners.frozen_network import FrozenNetwork
from mmldm.utils.checkpoint import newest_checkpoint, weights_of
from mmldm.utils.files import check_file_to_write
from mmldm.utils.model_file import publish_model_file

from .models import (
    Pick,
    Source,
    Weights,
    assemble,
    find_model,
    training_parts,
)
from .other_files import NEIGHBOUR, REFERENCE
from .untrusted_config import check_untrusted, tokenizer_folders

SUFFIX = '.safetensors'


def publish_model(
    source: Source,
    out: Source,
    which: str | None = None,
    config: Source | None = None,
    with_first_stage: bool = True,
) -> Path:
    """Write a model file that :func:`init_model` reads alone.

    It has the weights of what draws, and their config: no optimizer, no
    state of a training, no losses. The same model gives the same file.

    Args:
        source: Training checkpoint, work directory, or what else
            :func:`init_model` takes.
        out: NAME or NAME.safetensors, of which NAME-DIGITS.safetensors is
            written, by the first eight digits of the file's SHA-256.
        which: 'ema' or 'raw'; None for the average, where one was kept.
        config: Config file in place of the one that comes with ``source``.
        with_first_stage: False leaves a first stage out that has a file of
            its own; this must then be put beside the result.

    Returns:
        The file that was written.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the model needs what no file of weights may ask for,
            or there are no such weights.
    """
    out = _named(out)
    pick = _picker(which, source)
    if config is None:
        found = find_model(source, pick=pick)
    else:
        found = find_model(config, source, pick)
    model = assemble(found, 'cpu')
    config = _published(found.cfg.model.to_dict(), model, with_first_stage)
    check_untrusted(
        {k: v for k, v in config.items() if k != REFERENCE}, str(source)
    )
    for folder in tokenizer_folders(config):
        warnings.warn(
            f'the tokenizer is looked for in {folder}, which others have not: '
            "give a config with the tokenizer's name on a hub",
            stacklevel=2,
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    return publish_model_file(out, model.state_dict(), config)


def _named(out: Source) -> Path:
    """With the suffix of model files."""
    if Path(out).suffix in ('.pth', '.ckpt', '.pt', '.bin', '.py'):
        raise ValueError(
            f'{out} is no name of a model file: give NAME or NAME{SUFFIX}'
        )
    out = Path(str(out).removesuffix(SUFFIX) + SUFFIX)
    check_file_to_write('the name of the published file', out)
    return out


def _picker(which: str | None, source: Source) -> Pick:
    """Takes the weights that are wanted out of a file.

    Raises:
        ValueError: If there are none such.
    """

    def pick(content: Mapping[str, Any]) -> Weights:
        if which is not None and 'state_dict' not in content:
            raise ValueError(
                f'{source} holds one set of weights and does not say whether '
                f'it is an average, but {which!r} is asked for: leave that out'
            )
        raw = content.get('raw_state_dict')
        if which == 'ema' and raw is None:
            raise ValueError(
                f'{source} is of a training that kept no average of its '
                "weights: ask for 'raw', or train with ModuleEMAHook"
            )
        weights = weights_of(content)
        return weights | raw if which == 'raw' and raw else weights

    return pick


def _published(
    config: dict[str, Any], model: nn.Module, with_first_stage: bool
) -> dict[str, Any]:
    """The config of the published model, whose state dict becomes whole.

    Raises:
        ValueError: If the model needs another one beside it, or there is no
            first stage to leave out.
    """
    if config.get('guide') is not None:
        raise ValueError(
            'the model is guided by another one, model.guide, which is not '
            'published with it: give a config without model.guide and with '
            "model.guidance=dict(type='NoGuidance')"
        )
    unused = (*training_parts(config), 'guide', 'guide_checkpoint')
    reference = config.pop(REFERENCE, None)
    config = {k: v for k, v in config.items() if k not in unused}
    if not with_first_stage:
        config[REFERENCE] = _neighbour(reference)
    elif reference is not None:
        model.include_first_stage()
    conditioner = getattr(model, 'conditioner', None)
    for i, embedder in enumerate(getattr(conditioner, 'embedders', ())):
        if isinstance(embedder, FrozenNetwork):
            kind = type(embedder).__name__
            arguments = dict(type=kind, **embedder.include_network())
            config['conditioner']['embedders'][i] = arguments
    return config


def _neighbour(reference: str | None) -> str:
    """The name of the first stage's file, without its folder."""
    if reference is None:
        raise ValueError(
            'the model has no model.autoencoder_checkpoint: its first stage '
            'is in no other file, and cannot be left out'
        )
    path = Path(reference)
    name = (newest_checkpoint(path) or path).name
    if not NEIGHBOUR.fullmatch(name):
        raise ValueError(
            f'the first stage is in {reference}: rename that to letters and '
            'digits and .pth or .safetensors, to leave it out'
        )
    return name
