"""Optimizers of models with sharded and whole weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.optim import Optimizer

from mmldm.utils.sharding import is_sharded, like, own_part, total_norm


def fit_to_shards(wrapper: OptimWrapper) -> None:
    """Make an optimizer work for sharded and whole weights together.

    Clipping uses the norm over all processes, steps treat both kinds one
    after the other, and loading divides the state as the weights are.

    Args:
        wrapper: Wrapper of one optimizer, before its first step.
    """
    if wrapper.clip_grad_kwargs:
        by_norm = wrapper.clip_func is nn.utils.clip_grad_norm_
        wrapper.clip_func = clip_norm if by_norm else clip_values
    optimizer = wrapper.optimizer
    optimizer.register_step_pre_hook(_part_groups)
    optimizer.register_step_post_hook(_join_groups)
    optimizer.register_load_state_dict_pre_hook(_part_state)


@torch.no_grad()
def clip_norm(
    parameters: Sequence[nn.Parameter],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """``torch.nn.utils.clip_grad_norm_`` with the norm over all processes.

    Args:
        parameters: Weights with a gradient; the same in all processes.
        max_norm: Largest norm afterwards.
        norm_type: Exponent of the norm.
        error_if_nonfinite: Whether to raise if the norm is not finite.

    Returns:
        The norm before, shape ().

    Raises:
        RuntimeError: If the norm is not finite, and this is asked for.
    """
    grads = [weight.grad for weight in parameters]
    norm = total_norm(grads, float(norm_type))
    if error_if_nonfinite and not norm.isfinite():
        raise RuntimeError(f'the norm of the gradients is {norm.item()}')
    factor = (max_norm / (norm + 1e-6)).clamp(max=1)
    torch._foreach_mul_([own_part(grad) for grad in grads], factor)
    return norm


@torch.no_grad()
def clip_values(parameters: Sequence[nn.Parameter], clip_value: float) -> None:
    """``torch.nn.utils.clip_grad_value_`` for sharded weights too.

    Args:
        parameters: Weights with a gradient.
        clip_value: Largest absolute value afterwards.
    """
    for weight in parameters:
        own_part(weight.grad).clamp_(-clip_value, clip_value)


def _part_groups(optimizer: Optimizer, *_) -> None:
    """Part groups for a step; torch refuses lists of both kinds."""
    optimizer._joined = optimizer.param_groups
    optimizer.param_groups = [
        {**group, 'params': kind}
        for group in optimizer._joined
        for kind in _kinds(group['params'])
    ]


def _join_groups(optimizer: Optimizer, *_) -> None:
    """Undo :func:`_part_groups`."""
    optimizer.param_groups = optimizer._joined
    del optimizer._joined


def _kinds(weights: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Sharded and whole weights, without an empty list."""
    sharded = [weight for weight in weights if is_sharded(weight)]
    others = [weight for weight in weights if not is_sharded(weight)]
    return [kind for kind in (sharded, others) if kind]


def _part_state(optimizer: Optimizer, state: Mapping) -> dict[str, Any]:
    """The state of whole weights, divided as the optimizer's weights are."""
    own = [w for group in optimizer.param_groups for w in group['params']]
    keys = [key for group in state['param_groups'] for key in group['params']]
    weights = dict(zip(keys, own, strict=False))
    return {
        **state,
        'state': {
            key: _parted(values, weights[key]) if key in weights else values
            for key, values in state['state'].items()
        },
    }


def _parted(values: Mapping[str, Any], weight: nn.Parameter) -> dict[str, Any]:
    """One weight's state; what has not its shape stays as it is."""
    return {
        name: like(value, weight)
        if is_sharded(weight)
        and isinstance(value, Tensor)
        and value.shape == weight.shape
        else value
        for name, value in values.items()
    }
