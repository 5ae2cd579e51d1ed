"""Adapters as files hold them: of a training, of others, of diffusers."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor, nn

from mmldm.converters import whole_config
from mmldm.converters.diffusers.lora import adapter_from_diffusers
from mmldm.models.adapters import LoRA, LowRank
from mmldm.models.adapters.layers import PARTS, layers_of
from mmldm.models.adapters.lora import NAME as OWN
from mmldm.models.editors.adapted import ADAPTED, HASH, denoiser_hash
from mmldm.utils.checkpoint import read_checkpoint, weights_of
from mmldm.utils.stored_config import stored_config

SUFFIX = '.safetensors'


class Adapter(NamedTuple):
    """An adapter as a file holds it.

    Attributes:
        updates: The update of each layer, by its name in the model.
        base: Hash of the denoiser that it was trained on; None if unknown.
    """

    updates: dict[str, LowRank]
    base: Tensor | None


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
    try:
        weights = weights_of(content)
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
    # Not by its type, which in a file may be anything.
    stated = {k: adapter[k] for k in ('rank', 'alpha') if k in adapter}
    built = LoRA(str(path), **stated)
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
        if not (down.isfinite().all() and up.isfinite().all()):
            raise ValueError(f'its update of {name} is not finite')
        if name not in layers:
            wrong.append(f'{name} is missing')
            continue
        shape = tuple(layers[name].weight.shape)
        rank = max([1, *down.shape[:1]])
        wanted = LowRank(
            (rank, *shape[1:]), (shape[0], rank, *[1] * len(shape[2:]))
        )
        given = LowRank(tuple(down.shape), tuple(up.shape))
        if given != wanted:
            wrong.append(
                f'{name} is {shape}, its update {given.up} after {given.down}'
            )
    if wrong:
        raise ValueError(
            f'{len(wrong)} of its layers do not fit this model: '
            f'{"; ".join(wrong[:3])}: use the model that it was trained on'
        )


def base_hash(model: nn.Module) -> Tensor:
    """Hash of the model's denoiser without adapters."""
    own = getattr(model, HASH, None)
    return (denoiser_hash(model) if own is None else own).cpu()


def _is_base(model: nn.Module, wanted: Tensor) -> bool:
    """Whether an adapter was trained on this denoiser, as far as known."""
    rounded = next(model.denoiser.parameters()).dtype != torch.float32
    if rounded and not hasattr(model, HASH):
        return True
    return torch.equal(wanted.cpu(), base_hash(model))
