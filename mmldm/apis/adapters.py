"""Adapters of models: reading, use in drawing, and files for others."""

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor, nn

from mmldm.converters import whole_config
from mmldm.converters.diffusers.lora import (
    adapter_from_diffusers,
    adapter_to_diffusers,
)
from mmldm.models.adapters import (
    LowRank,
    active_updates,
    adapted_layers,
    add_adapter,
    load_peft,
    remove_adapters,
)
from mmldm.models.adapters.layers import PARTS, layers_of
from mmldm.models.editors.adapted import ADAPTED, HASH, denoiser_hash
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import read_checkpoint, weights_of
from mmldm.utils.files import check_file_to_write
from mmldm.utils.model_file import write_model_file
from mmldm.utils.stored_config import stored_config

SUFFIX = '.safetensors'
# Of an adapter in training, and of those added to it.
OWN, ADDED = 'default', 'added_'

#: File or work directory, FILE:SCALE, or both as a pair.
AdapterSource = str | Path | tuple[str | Path, float]


class Adapter(NamedTuple):
    """An adapter as a file holds it.

    Attributes:
        updates: The update of each layer, by its name in the model.
        base: Hash of the denoiser that it was trained on; None if unknown.
    """

    updates: dict[str, LowRank]
    base: Tensor | None


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


def read_adapter(path: str | Path, model: nn.Module) -> Adapter:
    """Read an adapter for a model, with any scale of its own applied.

    A warning says if the adapter was trained on other weights.

    Args:
        path: See :func:`load_adapters`.
        model: The model that it is for.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is no adapter, or does not fit the model.
    """
    content = read_checkpoint(path)
    weights = weights_of(content)
    try:
        if _is_ours(weights):
            scale = _scaling(stored_config(content), path)
            adapter = Adapter(_updates(weights, scale), weights.get(HASH))
        else:
            found = adapter_from_diffusers(
                weights, _metadata(path), whole_config(model)
            )
            adapter = Adapter(found, None)
        _check(adapter.updates, model)
    except ValueError as error:
        raise ValueError(f'adapter {path}: {error}') from error
    if adapter.base is not None and not _is_base(model, adapter.base):
        warnings.warn(
            f'adapter {path} was trained on a denoiser of other weights than '
            "this model's: what it draws may be wrong",
            stacklevel=3,
        )
    return adapter


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
        weights = {HASH: _base_hash(model)}
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
        layers[layer].lora_B[name].weight.data.copy_(up)
        layers[layer].scaling[name] = scale


def _inside(updates: Mapping[str, LowRank], part: str) -> dict[str, LowRank]:
    """The updates of a part of the model, by name in the part."""
    return {
        name.removeprefix(f'{part}.'): update
        for name, update in updates.items()
        if name.startswith(f'{part}.')
    }


def _is_ours(weights: Mapping[str, Tensor]) -> bool:
    """Whether a file has our names; raise if it is not an adapter."""
    ours = tuple(f'{name}.' for name in ADAPTED)
    adapted = [n for n in weights if 'lora' in n]
    if not adapted:
        raise ValueError(
            'it holds no adapter: give the file of a training with '
            'model.adapter, or one of diffusers'
        )
    return any(name.startswith(ours) for name in adapted)


def _scaling(config: Mapping | None, path: str | Path) -> float:
    """The factor alpha / rank that a training applies to its updates."""
    model = (config or {}).get('model') or {}
    adapter = model.get('adapter')
    if not isinstance(adapter, Mapping):
        return 1.0  # a file of ours contains it
    built = MODELS.build({**adapter, 'base': str(path)})
    return 1.0 if built.alpha is None else built.alpha / built.rank


def _updates(weights: Mapping[str, Tensor], scale: float) -> dict:
    """The updates in a file with our names, by layer."""
    plain = {n.replace(f'.{OWN}.', '.'): w for n, w in weights.items()}
    down, up = (f'{part}weight' for part in PARTS)
    layers = [n.removesuffix(down) for n in plain if n.endswith(down)]
    known = {HASH, *(layer + end for layer in layers for end in (down, up))}
    if known - {HASH} - plain.keys() or plain.keys() - known:
        odd = sorted((known - {HASH}) ^ (plain.keys() - {HASH}))
        raise ValueError(
            f'{len(odd)} of its weights are missing or unknown: '
            f'{", ".join(odd[:3])}: write it again'
        )
    return {
        layer: LowRank(
            plain[layer + down].float(), plain[layer + up].float() * scale
        )
        for layer in layers
    }


def _metadata(path: str | Path) -> dict[str, str]:
    """The metadata of a file; empty if it has none."""
    if Path(path).suffix != SUFFIX:
        return {}
    with safe_open(path, 'pt') as file:
        return file.metadata() or {}


def _check(updates: Mapping[str, LowRank], model: nn.Module) -> None:
    """Raise unless the model has all layers, with these shapes."""
    layers = {
        f'{name}.{layer}': module
        for name in ADAPTED
        for layer, module in layers_of(getattr(model, name)).items()
    }
    wrong = []
    for name, (down, up) in updates.items():
        if name not in layers:
            wrong.append(f'{name} is missing')
            continue
        shape = tuple(layers[name].weight.shape)
        given = (len(up), *down.shape[1:])
        if given != shape or up.shape[1] != len(down):
            wrong.append(f'{name} is {shape}, its update {given}')
    if wrong:
        raise ValueError(
            f'{len(wrong)} of its layers do not fit this model: '
            f'{"; ".join(wrong[:3])}: use the model that it was trained on'
        )


def _base_hash(model: nn.Module) -> Tensor:
    """Hash of the model's denoiser without adapters."""
    own = getattr(model, HASH, None)
    return (denoiser_hash(model) if own is None else own).cpu()


def _is_base(model: nn.Module, wanted: Tensor) -> bool:
    """Whether an adapter was trained on this denoiser, as far as known."""
    rounded = next(model.denoiser.parameters()).dtype != torch.float32
    if rounded and not hasattr(model, HASH):
        return True
    return torch.equal(wanted.cpu(), _base_hash(model))
