"""Low-rank updates of linear and convolution layers, by the package peft.

peft wraps a layer: its weights are then those of a child ``base_layer``, and
each adapter has two layers more, ``lora_A.NAME`` and ``lora_B.NAME``.
"""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmldm.utils.checks import suggest

KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
BASE = '.base_layer.'
PARTS = ('.lora_A.', '.lora_B.')


class LowRank(NamedTuple):
    """The update of a layer: ``up`` after ``down``, added to the layer.

    Attributes:
        down: Weight of the first layer, (rank, in, ...), with the kernel of a
            convolution.
        up: Weight of the second layer, (out, rank, ...).
    """

    down: Tensor
    up: Tensor


def layers_of(network: nn.Module) -> dict[str, nn.Module]:
    """All linear and convolution layers by name, without those of adapters."""
    adapted = adapted_layers(network)
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, KINDS)
        and not any(name.startswith(f'{outer}.') for outer in adapted)
    } | {name: layer.base_layer for name, layer in adapted.items()}


def adapted_layers(network: nn.Module) -> dict[str, nn.Module]:
    """The layers of a network that have adapters, by name."""
    return {
        name: module
        for name, module in network.named_modules()
        if hasattr(module, 'lora_A') and hasattr(module, 'base_layer')
    }


def find_layers(
    network: nn.Module, targets: Collection[str], key: str
) -> list[str]:
    """Names of the layers that end with one of some names.

    Args:
        network: The network to adapt.
        targets: Ends of dotted names, such as 'to_q' or 'cross_attn.to_q'.
        key: Key of ``targets`` in the config, for the message.

    Raises:
        ValueError: If no layer's name ends with a target; lists valid ones.
    """
    found: dict[str, None] = {}
    layers = layers_of(network)
    for target in targets:
        ends = [name for name in layers if f'.{name}'.endswith(f'.{target}')]
        if not ends:
            last = {name.rpartition('.')[2] for name in layers}
            words = {name for name in last if not name.isdigit()}
            raise ValueError(
                f'{key}: no linear or convolution layer of '
                f'{type(network).__name__} is named {target!r}'
                f'{suggest(str(target), words or layers)}'
            )
        found |= dict.fromkeys(ends)
    return [*found]


def add_adapter(
    network: nn.Module,
    name: str,
    ranks: Mapping[str, int],
    alpha: float | None = None,
) -> None:
    """Wrap layers for an adapter that changes nothing yet.

    Afterwards this adapter's weights are the network's only trainable ones.

    Args:
        network: The network; its layers are replaced.
        name: Name of the adapter.
        ranks: Rank of each layer to adapt, by the layer's name.
        alpha: Factor of the update times its rank; None for the rank.

    Raises:
        ValueError: If peft is not installed.
    """
    peft = load_peft()
    first = next(iter(ranks.values()))
    config = peft.LoraConfig(
        r=first,
        lora_alpha=first if alpha is None else alpha,
        target_modules='|'.join(map(re.escape, ranks)),
        rank_pattern={
            f'^{re.escape(layer)}': rank
            for layer, rank in ranks.items()
            if rank != first
        },
    )
    peft.inject_adapter_in_model(config, network, adapter_name=name)
    del network.peft_config  # else peft warns of the next adapter
    network.requires_grad_(False)
    for layer in adapted_layers(network).values():
        if name in layer.scaling:
            if alpha is None:
                layer.scaling[name] = 1.0
            for part in (layer.lora_A, layer.lora_B):
                # float32 also where the layer has another type.
                part[name].float().requires_grad_(True)


def load_peft():
    """Import and return the package peft.

    Raises:
        ValueError: If it is not installed.
    """
    try:
        import peft  # takes seconds
    except ImportError as error:
        raise ValueError(
            'adapters need the package peft, which is not available '
            f"({error}): pip install 'mmldm[lora]'"
        ) from error
    return peft


def remove_adapters(network: nn.Module, keep: Collection[str] = ()) -> None:
    """Remove adapters; layers without any are those from before.

    Args:
        network: The network; its layers are replaced.
        keep: Names of adapters that stay.
    """
    for name, layer in adapted_layers(network).items():
        for adapter in [a for a in layer.scaling if a not in keep]:
            layer.delete_adapter(adapter)
        if not layer.scaling:
            parent, _, own = name.rpartition('.')
            setattr(network.get_submodule(parent), own, layer.base_layer)


def active_updates(network: nn.Module) -> dict[str, LowRank]:
    """The update of each adapted layer, by name.

    If several adapters act on a layer, this is their sum: the ranks add up.
    """
    return {
        name: _joined(layer) for name, layer in adapted_layers(network).items()
    }


def _joined(layer: nn.Module) -> LowRank:
    adapters = [*layer.active_adapters]
    scales = [layer.scaling[a] for a in adapters]
    down = [layer.lora_A[a].weight.detach() for a in adapters]
    up = [layer.lora_B[a].weight.detach() for a in adapters]
    scaled = [w * scale for w, scale in zip(up, scales, strict=True)]
    return LowRank(torch.cat(down), torch.cat(scaled, dim=1))


def merged_state(network: nn.Module, prefix: str = '') -> dict[str, Tensor]:
    """A state dict with the names of the network without its adapters.

    The active adapters are added to the weights. The network is not changed.

    Args:
        network: The network, with or without adapters.
        prefix: Prefix of all names.
    """
    state = nn.Module.state_dict(network, prefix=prefix)
    for name, layer in adapted_layers(network).items():
        key = f'{prefix}{name}{BASE}weight'
        if key in state:
            weight = state[key]
            change = sum(
                layer.get_delta_weight(adapter).detach().float()
                for adapter in layer.active_adapters
            )
            state[key] = (weight.float() + change).to(weight.dtype)
    return {
        name.replace(BASE, '.'): weight
        for name, weight in state.items()
        if not any(part in name for part in PARTS)
    }
