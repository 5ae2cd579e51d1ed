"""Tensors that several processes hold in parts, and their norms.

A sharded tensor is a ``DTensor`` of torch: each process has a share of its
first axis. Functions here accept ordinary tensors as well.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from .devices import Download


def is_sharded(value: Any) -> bool:
    """Whether a value is a tensor that processes hold in parts."""
    return isinstance(value, DTensor)


def own_part(tensor: Tensor) -> Tensor:
    """The part of a tensor in this process, of the same memory."""
    return tensor.to_local() if is_sharded(tensor) else tensor


def like(tensor: Tensor, example: Tensor) -> Tensor:
    """A copy with type, device and parts of an example.

    Nothing is sent: each process takes its part of the tensor that it has.

    Args:
        tensor: A whole tensor, on any device.
        example: Tensor of the same shape; it may be sharded.
    """
    if not is_sharded(example):
        return tensor.detach().to(example, copy=True)
    parts = distribute_tensor(
        tensor.detach(),
        example.device_mesh,
        example.placements,
        src_data_rank=None,
    )
    # clone: the part may be a view of the whole.
    local = parts.to_local().to(example.dtype).clone()
    return DTensor.from_local(
        local,
        example.device_mesh,
        example.placements,
        shape=example.shape,
        stride=example.stride(),
    )


def like_weights(
    module: nn.Module, weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Whole weights as parts, where the module holds parts of them.

    Args:
        module: Module with sharded weights.
        weights: Whole weights, name in the module to tensor. Those of
            another name or shape are returned as they are.
    """
    own = dict(module.named_parameters())
    return {
        name: like(weight, own[name])
        if name in own
        and is_sharded(own[name])
        and own[name].shape == weight.shape
        else weight
        for name, weight in weights.items()
    }


def snapshot(value: Any, keep: bool = True) -> Any:
    """A nest of dicts and lists with copies of all tensors on the CPU.

    Sharded tensors become whole. All processes must call this with nests of
    the same structure. They gather one tensor at a time: the device holds
    only one whole tensor.

    Args:
        value: Dicts, lists, tuples, tensors and other values.
        keep: Whether this process needs the result. Else each whole tensor
            is dropped at once, and None takes the place of tensors.
    """
    with Download() as download:
        return _copied(value, download if keep else None)


def _copied(value: Any, download: Download | None) -> Any:
    """See :func:`snapshot`; without ``download``, nothing is copied."""
    if is_sharded(value):
        gathered = value.detach().full_tensor()
        return gathered.cpu() if download else None
    if isinstance(value, Tensor):
        return download(value) if download else None
    if isinstance(value, Mapping):
        return {key: _copied(item, download) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_copied(item, download) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return value


@torch.no_grad()
def total_norm(tensors: Sequence[Tensor], norm_type: float = 2.0) -> Tensor:
    """The norm of all values of some tensors together, shape ().

    Parts of sharded tensors count once each. All processes must call this if
    a tensor is sharded.

    Args:
        tensors: Tensors, for example gradients; at least one.
        norm_type: Exponent of the norm, > 0; infinity for the largest value.
    """
    sharded = [t.to_local() for t in tensors if is_sharded(t)]
    others = [t for t in tensors if not is_sharded(t)]
    norm = _norm(others, norm_type, tensors[0])
    if not sharded:
        return norm
    parts = _norm(sharded, norm_type, tensors[0])
    if math.isinf(norm_type):
        all_reduce(parts, 'max')
        return torch.maximum(norm, parts)
    powers = parts.pow(norm_type)
    all_reduce(powers, 'sum')
    return (norm.pow(norm_type) + powers).pow(1 / norm_type)


def _norm(
    tensors: Sequence[Tensor], norm_type: float, example: Tensor
) -> Tensor:
    """The norm of tensors in this process, 0 if there are none."""
    # A part is empty if there are more processes than rows.
    filled = [tensor for tensor in tensors if tensor.numel()]
    if not filled:
        return torch.zeros((), device=example.device)
    norms = torch._foreach_norm(filled, norm_type)
    return torch.linalg.vector_norm(
        torch.stack([norm.float() for norm in norms]), norm_type
    )
