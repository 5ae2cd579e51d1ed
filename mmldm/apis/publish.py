"""Publication of a model: one file, without the state of training."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from mmldm.models.adapters import merged_state
from mmldm.models.autoencoders import DiffusersAutoencoder
from mmldm.models.conditioners.frozen_network import FrozenNetwork
from mmldm.utils.checkpoint import newest_checkpoint, weights_of
from mmldm.utils.files import check_file_to_write
from mmldm.utils.model_file import publish_model_file

from .adapters import AdapterSource, load_adapters
from .models import (
    Pick,
    Source,
    Weights,
    assemble,
    find_model,
)
from .referenced_files import NEIGHBOUR, REFERENCE
from .registered import training_parts
from .untrusted_config import check_untrusted, tokenizer_folders

SUFFIX = '.safetensors'


def publish_model(
    source: Source,
    out: Source,
    which: str | None = None,
    config: Source | None = None,
    with_first_stage: bool = True,
    adapters: Sequence[AdapterSource] = (),
) -> Path:
    """Write a model file that :func:`init_model` reads alone.

    The file has the weights that generation needs, and their config: no
    optimizer, no losses. The same model gives the same file.

    Args:
        source: Training checkpoint, work directory, or any other source of
            :func:`init_model`.
        out: NAME or NAME.safetensors. The file is NAME-DIGITS.safetensors
            with the first eight digits of its SHA-256.
        which: Weights to publish: 'ema' or 'raw'; None takes the average if
            there is one.
        config: Config file to use instead of the one in ``source``.
        with_first_stage: False omits a first stage that has a file of its
            own; users must then put this file beside the result.
        adapters: Adapters to merge into the weights; see
            :func:`load_adapters`.

    Returns:
        Path of the file.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the model's config asks for something that is refused
            in a weights file, or the weights are not available.
    """
    out = _named(out)
    pick = _picker(which, source)
    if config is None:
        found = find_model(source, pick=pick)
    else:
        found = find_model(config, source, pick)
    model = assemble(found, 'cpu')
    if adapters:
        load_adapters(model, adapters)
    config = _published(found.cfg.model.to_dict(), model, with_first_stage)
    check_untrusted(
        {k: v for k, v in config.items() if k != REFERENCE}, str(source)
    )
    for folder in tokenizer_folders(config):
        warnings.warn(
            f'the tokenizer is in {folder}, which other users do not have: '
            "give a config with the tokenizer's name on a hub",
            stacklevel=2,
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    return publish_model_file(out, merged_state(model), config)


def _named(out: Source) -> Path:
    """The output path, with the suffix of model files."""
    if Path(out).suffix in ('.pth', '.ckpt', '.pt', '.bin', '.py'):
        raise ValueError(
            f'{out} is not the name of a model file: give NAME or NAME{SUFFIX}'
        )
    out = Path(str(out).removesuffix(SUFFIX) + SUFFIX)
    check_file_to_write('the name of the published file', out)
    return out


def _picker(which: str | None, source: Source) -> Pick:
    """A function that picks the wanted weights from a file's content.

    Raises:
        ValueError: If these weights are not available.
    """

    def pick(content: Mapping[str, Any]) -> Weights:
        if which is not None and 'state_dict' not in content:
            raise ValueError(
                f'{source} holds one set of weights, not known to be raw or '
                f'an average, but which={which!r} is given: omit which'
            )
        raw = content.get('raw_state_dict')
        if which == 'ema' and raw is None:
            raise ValueError(
                f'{source} comes from a training that kept no average of its '
                "weights: set which='raw', or train with ModuleEMAHook"
            )
        weights = weights_of(content)
        return weights | raw if which == 'raw' and raw else weights

    return pick


def _published(
    config: dict[str, Any], model: nn.Module, with_first_stage: bool
) -> dict[str, Any]:
    """The config of the published model; complete the model's state dict.

    Raises:
        ValueError: If the model needs a guide, or has no first stage that
            can be omitted.
    """
    if config.get('guide') is not None:
        raise ValueError(
            'the model is guided by another one, model.guide, which cannot '
            'be published with it: give a config without model.guide and '
            "with model.guidance=dict(type='NoGuidance')"
        )
    unused = (*training_parts(config), 'guide', 'guide_checkpoint', 'adapter')
    reference = config.pop(REFERENCE, None)
    config = {k: v for k, v in config.items() if k not in unused}
    if not with_first_stage:
        config[REFERENCE] = _neighbour(reference)
    elif reference is not None:
        model.include_first_stage()
    if isinstance(model.autoencoder, DiffusersAutoencoder):
        config['autoencoder'] = model.autoencoder.include_network()
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
            'model.autoencoder_checkpoint is missing: the first stage is in '
            'no other file, so publish the model with it'
        )
    path = Path(reference)
    name = (newest_checkpoint(path) or path).name
    if not NEIGHBOUR.fullmatch(name):
        raise ValueError(
            f'the first stage is in {reference}: to omit it, rename the file '
            'to letters and digits, and .pth or .safetensors'
        )
    return name
