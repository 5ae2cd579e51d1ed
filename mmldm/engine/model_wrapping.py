"""How the processes of a training share a model."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from mmldm.registry import MODEL_WRAPPERS
from mmldm.utils.distributed import broadcast_state

from .optim_wrapper import (
    DTYPES,
    AutocastOptimWrapper,
    LateNormOptimWrapper,
)
from .replicated_model import ReplicatedModel
from .sharded_model import ShardedModel
from .sharded_optimizer import fit_to_shards


def wrapped(
    runner: Any, wrapper: dict | None, model: torch.nn.Module
) -> torch.nn.Module | None:
    """The model for several processes; a :class:`ReplicatedModel` by default.

    Args:
        runner: The runner.
        wrapper: ``model_wrapper_cfg``.
        model: Not wrapped.

    Returns:
        The wrapped model; None for a single process.
    """
    if not runner.distributed:
        return None
    if getattr(model, 'averages_gradients', False):
        return moved_alone(model, wrapper)
    if shards(wrapper):
        return sharded(runner, wrapper, model)
    own = f'mmldm.{ReplicatedModel.__name__}'  # mmengine asks its registry
    if wrapper is None:
        unused = runner.cfg.get('find_unused_parameters', False)
        wrapper = dict(find_unused_parameters=unused)
    if wrapper.get('type', own) in (own, ReplicatedModel.__name__):
        wrapper = {**wrapper, 'type': own}
    return Runner.wrap_model(runner, wrapper, model)


def moved_alone(
    model: torch.nn.Module, wrapper: dict | None
) -> torch.nn.Module:
    """A model that averages its gradients itself, equal on all processes.

    Args:
        model: Not wrapped.
        wrapper: ``model_wrapper_cfg``.

    Raises:
        ValueError: If a wrapper is asked for.
    """
    if wrapper is not None:
        raise ValueError(
            f'model_wrapper_cfg is not available for {type(model).__name__}, '
            'which averages its gradients itself: remove it'
        )
    model = model.to(get_device())
    broadcast_state(model)
    return model


def shards(wrapper: dict | None) -> bool:
    """Whether ``model_wrapper_cfg`` asks for a :class:`ShardedModel`."""
    kind = (wrapper or {}).get('type')
    cls = MODEL_WRAPPERS.get(kind) if isinstance(kind, str) else kind
    return isinstance(cls, type) and issubclass(cls, ShardedModel)


def sharded(runner: Any, wrapper: dict, model: torch.nn.Module) -> Any:
    """The model that the processes of a runner hold in parts.

    Args:
        runner: The runner, with the config of its optimizer.
        wrapper: ``model_wrapper_cfg``.
        model: Not wrapped.

    Raises:
        ValueError: If the optimizer or ``compile`` does not allow it.
    """
    if runner.cfg.get('compile'):
        raise ValueError(
            "compile is not available with model_wrapper_cfg.type='"
            "ShardedModel', which gathers weights between the blocks: remove "
            'one of them'
        )
    dtype = _gathered_type(runner.optim_wrapper or {})
    built = MODEL_WRAPPERS.build({**wrapper, 'module': model, 'dtype': dtype})
    runner.logger.info(built.summary())
    return built


def fitted_to_shards(wrapper: OptimWrapper) -> OptimWrapper:
    """Make an optimizer wrapper work for sharded and whole weights.

    Raises:
        ValueError: If it is not of the two types that this works for.
    """
    if type(wrapper) not in (LateNormOptimWrapper, AutocastOptimWrapper):
        raise ValueError(
            f'optim_wrapper.type={type(wrapper).__name__} is not available '
            "with model_wrapper_cfg.type='ShardedModel': use OptimWrapper, "
            'with --amp for bfloat16'
        )
    fit_to_shards(wrapper)
    return wrapper


def _gathered_type(optim_wrapper: Mapping) -> torch.dtype | None:
    """The type in which weights are gathered: that of autocast."""
    kind = str(optim_wrapper.get('type')).rpartition('.')[2]
    if kind != AutocastOptimWrapper.__name__:
        return None
    name = optim_wrapper.get('dtype', 'bfloat16')
    if name == 'float16':
        raise ValueError(
            "optim_wrapper.dtype='float16' is not available with "
            "model_wrapper_cfg.type='ShardedModel': set it to 'bfloat16'"
        )
    return DTYPES.get(name)
