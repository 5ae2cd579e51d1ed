"""Memory of a training's state in each of several processes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mmldm.engine.sharded_model import sharded_parts, stays_whole
from mmldm.models.editors import complete_model
from mmldm.registry import MODELS
from mmldm.utils.model_size import bounded_networks

# Bytes of a float32 number, in which all of this is kept.
SIZE = 4


@dataclass(frozen=True)
class Share:
    """Bytes that a process holds of one kind of numbers.

    Args:
        name: The kind.
        whole: Bytes if each process has all, as with data parallelism.
        sharded: Bytes if processes hold parts; see ``ShardedModel``.
    """

    name: str
    whole: int
    sharded: int


def training_memory(model: Mapping[str, Any], processes: int) -> list[Share]:
    """What each process holds of a latent diffusion model and its optimizer.

    Weights, gradients, the two averages of Adam, the running average of the
    weights, and the weights that are gathered for two units at a time, as
    the next unit is gathered while one runs. Activations are not counted.

    Args:
        model: Config of the editor, with its first stage.
        processes: Number of processes.

    Raises:
        ValueError: If the model has no denoiser.
    """
    if 'denoiser' not in model:
        raise ValueError(
            'the model has no denoiser, and only a denoiser is sharded: give '
            'the config of a latent diffusion model'
        )
    model = complete_model(model)
    names = ('denoiser', 'conditioner', 'autoencoder')
    with torch.device('meta'), bounded_networks('meta'):
        parts = {name: MODELS.build(dict(model[name])) for name in names}
    parts['autoencoder'].requires_grad_(False)
    modules = nn.ModuleDict(parts)
    weights = [*modules.parameters()]
    trained = [weight for weight in weights if weight.requires_grad]
    sharded = {
        weight
        for part in sharded_parts(modules)
        for weight in part.parameters()
        if not stays_whole(weight)
    }
    shares = []
    for name, kind, copies in (
        ('weights', weights, 1),
        ('gradients', trained, 1),
        ('averages of Adam', trained, 2),
        ('average of the weights', trained, 1),
    ):
        total, own = _count(kind), _own(kind, sharded, processes)
        shares.append(Share(name, SIZE * copies * total, SIZE * copies * own))
    return [*shares, Share('gathered weights', 0, SIZE * _gathered(modules))]


def _count(weights: Iterable[nn.Parameter]) -> int:
    return sum(weight.numel() for weight in weights)


def _own(
    weights: Iterable[nn.Parameter],
    sharded: set[nn.Parameter],
    processes: int,
) -> int:
    """Numbers in the first process, whose part is never the smaller one."""
    return sum(
        -(-weight.shape[0] // processes) * weight[0].numel()
        if weight in sharded
        else weight.numel()
        for weight in weights
    )


def _gathered(modules: nn.Module) -> int:
    """Numbers of the two largest units together."""
    units = sorted(
        _count(w for w in unit.parameters() if not stays_whole(w))
        for part in sharded_parts(modules)
        for unit in part.shard_units
    )
    return sum(units[-2:])
