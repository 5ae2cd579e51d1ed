"""Adapters of models: reading, use in drawing, and files for others."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from mmldm.converters import whole_config
from mmldm.converters.diffusers.lora import adapter_to_diffusers
from mmldm.models.adapters import (
    LowRank,
    active_updates,
    adapted_layers,
    add_adapter,
    load_peft,
    remove_adapters,
)
from mmldm.models.adapters.lora import NAME as OWN
from mmldm.models.editors.adapted import ADAPTED, HASH
from mmldm.utils.files import check_file_to_write
from mmldm.utils.model_file import write_model_file

from .adapter_files import base_hash, read_adapter

# Start of the names of adapters that are added to one in training.
ADDED = 'added_'

#: File or work directory, FILE:SCALE, or both as a pair.
AdapterSource = str | Path | tuple[str | Path, float]


def load_adapters(model: nn.Module, adapters: Sequence[AdapterSource]) -> None:
    """Let a model draw with adapters, in place of those loaded before.

    The adapters' updates add up. An adapter that the model was trained with
    stays. An empty list restores the model.

    Args:
        model: Result of :func:`init_model`; its layers are replaced.
        adapters: For each adapter its file or work directory: a checkpoint
            of a training with ``model.adapter``, a file of
            :func:`save_adapter`, or one of diffusers or kohya. 'FILE:0.5' or
            (FILE, 0.5) multiplies its updates by 0.5.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If an adapter does not fit the model, or peft is not
            installed. The model is then as before.
    """
    if adapters and not hasattr(model, 'denoiser'):
        raise ValueError(
            f'a {type(model).__name__} takes no adapters: give a '
            'LatentDiffusion'
        )
    given = [split_scale(adapter) for adapter in adapters]
    found = [(read_adapter(path, model), scale) for path, scale in given]
    if found:
        load_peft()
    parts = [getattr(model, name, nn.Module()) for name in ADAPTED]
    for part in parts:
        remove_adapters(part, keep=[OWN])
    for i, (adapter, scale) in enumerate(found):
        for name, part in zip(ADAPTED, parts, strict=True):
            _add(part, f'{ADDED}{i}', _inside(adapter.updates, name), scale)
    for part in parts:
        for layer in adapted_layers(part).values():
            layer.set_adapter([*layer.scaling])
        if found:
            part.requires_grad_(False)


def split_scale(adapter: AdapterSource) -> tuple[Path, float]:
    """The path and the scale of 'FILE', 'FILE:SCALE' or a pair of both.

    Raises:
        ValueError: If the scale is not a finite number.
    """
    if isinstance(adapter, tuple):
        path, scale = adapter
    elif Path(adapter).exists():
        return Path(adapter), 1.0
    else:
        path, colon, scale = str(adapter).rpartition(':')
        if not colon:
            return Path(adapter), 1.0
    try:
        number = float(scale)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f'adapter {adapter}: its scale {scale!r} is not a number: give '
            'FILE:SCALE, such as style.safetensors:0.8'
        )
    return Path(path), number


def save_adapter(
    model: nn.Module, path: str | Path, diffusers: bool = False
) -> None:
    """Write the adapters that act on a model as one file.

    Args:
        model: A model that was trained with ``model.adapter``, or that
            :func:`load_adapters` has changed.
        path: NAME.safetensors.
        diffusers: Use the names of diffusers, whose ``load_lora_weights``
            reads the file.

    Raises:
        ValueError: If the model has no adapters, or diffusers has no
            counterpart.
    """
    check_file_to_write('the name of the adapter', path)
    updates = {
        f'{name}.{layer}': update
        for name in ADAPTED
        for layer, update in active_updates(getattr(model, name)).items()
    }
    if not updates:
        raise ValueError(
            'the model has no adapter: give one by --adapter, or a model '
            'that was trained with model.adapter'
        )
    if diffusers:
        weights = adapter_to_diffusers(updates, whole_config(model))
    else:
        weights = {HASH: base_hash(model)}
        for layer, (down, up) in updates.items():
            weights[f'{layer}.lora_A.weight'] = down
            weights[f'{layer}.lora_B.weight'] = up
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_model_file(path, weights, dict(type='LoRA'))


def _add(
    network: nn.Module, name: str, updates: dict[str, LowRank], scale: float
) -> None:
    """Add updates to a network's layers as one adapter."""
    if not updates:
        return
    ranks = {layer: len(update.down) for layer, update in updates.items()}
    add_adapter(network, name, ranks)
    layers = adapted_layers(network)
    for layer, (down, up) in updates.items():
        layers[layer].lora_A[name].weight.data.copy_(down)
        # Not as the layer's scaling, which no state dict shows.
        layers[layer].lora_B[name].weight.data.copy_(up * scale)


def _inside(updates: Mapping[str, LowRank], part: str) -> dict[str, LowRank]:
    """The updates of a part of the model, by name in the part."""
    return {
        name.removeprefix(f'{part}.'): update
        for name, update in updates.items()
        if name.startswith(f'{part}.')
    }
