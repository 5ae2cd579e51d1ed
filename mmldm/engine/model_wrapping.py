"""How the processes of a training share a model."""

import torch
from mmengine.device import get_device
from mmengine.model import MMDistributedDataParallel

from mmldm.utils.distributed import broadcast_state


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


def wrapped_on_cpu(
    model: torch.nn.Module, find_unused: bool
) -> MMDistributedDataParallel:
    """A model for gloo processes, which have no ``device_ids``.

    Args:
        model: Not wrapped.
        find_unused: Some parameters may have no gradient in a step.
    """
    return MMDistributedDataParallel(
        module=model,
        broadcast_buffers=False,
        find_unused_parameters=find_unused,
    )
