"""A model whose weights, gradients and averages processes hold in parts."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
)

from mmldm.registry import MODEL_WRAPPERS
from mmldm.utils.distributed import broadcast_state
from mmldm.utils.sharding import is_sharded

# Weights of fewer axes (biases, scales of norms) stay whole.
LEAST_AXES = 2


@MODEL_WRAPPERS.register_module()
class ShardedModel(nn.Module):
    """A model that processes train together, each with a part of it.

    This is FSDP2, ``fully_shard`` of torch (Zhao et al. 2023,
    arXiv:2304.11277). Parts of the model with ``shard_units`` that are
    trained, such as the denoiser, are sharded: of their weights with two axes
    or more, each process holds a share, and the same share of gradients,
    optimizer state and average. A unit's weights are gathered for its forward
    and its backward pass only. All other weights are whole in each process:
    biases, norms, trained parts without ``shard_units``, and frozen parts.

    In evaluation mode, each process holds all weights, so that processes may
    evaluate different images.

    Args:
        module: The model, with weights that are whole and equal in all
            processes afterwards.
        dtype: Type in which weights are gathered and the sharded parts
            compute; None for their own. Weights are kept, and gradients
            averaged, in their own type.

    Raises:
        ValueError: If the model has its own training step, or no trained
            part with ``shard_units``.
    """

    def __init__(
        self, module: nn.Module, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.module = module
        self.parts = [*sharded_parts(module)]
        if not self.parts:
            raise ValueError(
                "model_wrapper_cfg.type='ShardedModel' is not available for "
                f'{type(module).__name__}, which has no trained part with '
                'shard_units: remove model_wrapper_cfg'
            )
        if hasattr(module, 'init_weights'):
            module.init_weights()
        broadcast_state(module)
        kind = torch.device(get_device()).type
        mesh = init_device_mesh(kind, (get_world_size(),))
        for part in self.parts:
            _shard(part, mesh, dtype)
        # Units are on the device already; this moves what stays whole.
        module.to(get_device())

    def train(self, mode: bool = True) -> 'ShardedModel':
        """See ``nn.Module``; gathers all weights for evaluation.

        All processes must call this together.
        """
        super().train(mode)
        for part in self.parts:
            part.set_reshard_after_forward(mode)
            for unit in part.modules():
                if isinstance(unit, FSDPModule):
                    unit.reshard() if mode else unit.unshard()
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The model's own."""
        return self.module(*args, **kwargs)

    def train_step(self, data: Mapping, optim_wrapper: Any) -> dict:
        """See ``BaseModel``; averages the gradients of whole weights too.

        Gradients of sharded weights are averaged in the backward pass, also
        while they accumulate: whole ones would need the memory of the model.
        """
        with optim_wrapper.optim_context(self):
            data = self.module.data_preprocessor(data, True)
            losses = self.module(**data, mode='loss')
        loss, logged = self.module.parse_losses(losses)
        optim_wrapper.backward(optim_wrapper.scale_loss(loss))
        if optim_wrapper.should_update():
            average_gradients(
                p
                for p in self.module.parameters()
                if p.requires_grad and not is_sharded(p)
            )
            optim_wrapper.step()
            optim_wrapper.zero_grad()
        return logged

    def val_step(self, data: Mapping) -> list:
        """See ``BaseModel``."""
        return self.module.val_step(data)

    def test_step(self, data: Mapping) -> list:
        """See ``BaseModel``."""
        return self.module.test_step(data)

    def summary(self) -> str:
        """The number of weights that are sharded, for the log."""
        own = [p for p in self.module.parameters() if is_sharded(p)]
        trained = [p for p in self.module.parameters() if p.requires_grad]
        millions = sum(p.numel() for p in own) / 1e6
        rest = sum(p.numel() for p in trained if not is_sharded(p)) / 1e6
        units = sum(isinstance(m, FSDPModule) for m in self.modules())
        return (
            f'{millions:.4g} M weights are sharded over {get_world_size()} '
            f'processes, in {units} units; {rest:.4g} M trained weights are '
            'whole in each'
        )


def average_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Average gradients over all processes, in one message.

    A weight may have a gradient in some processes only, and 0 counts for the
    others. A weight without any keeps none, so that no optimizer decays it.

    Args:
        weights: The same in all processes.
    """
    weights = [*weights]
    if not weights or get_world_size() == 1:
        return
    grads = [
        torch.zeros_like(w) if w.grad is None else w.grad for w in weights
    ]
    used = grads[0].new_tensor([w.grad is not None for w in weights])
    flat = _flatten_dense_tensors([*grads, used])
    all_reduce(flat, 'mean')
    *means, used = _unflatten_dense_tensors(flat, [*grads, used])
    torch._foreach_copy_(grads, means)
    for i, weight in enumerate(weights):
        # Only a process that lacks a gradient has to ask, and to wait.
        if weight.grad is None and used[i] > 0:
            weight.grad = grads[i]


def sharded_parts(module: nn.Module) -> Iterator[nn.Module]:
    """The trained parts of a model that name their units."""
    for child in module.children():
        trained = any(p.requires_grad for p in child.parameters())
        if trained and hasattr(child, 'shard_units'):
            yield child
        elif trained:
            yield from sharded_parts(child)


def stays_whole(weight: Tensor) -> bool:
    """Whether a weight of a sharded part is whole in each process."""
    return weight.ndim < LEAST_AXES


def _shard(
    part: nn.Module, mesh: DeviceMesh, dtype: torch.dtype | None
) -> None:
    """Shard the units of a part, and then its other weights.

    The latter are gathered in their own type: they are few, and read inputs
    and write outputs.
    """
    small: set[nn.Parameter] = set()
    for weight in part.parameters():
        if stays_whole(weight):
            small.add(weight)
        # torch shards only contiguous weights; channels_last ones are not.
        weight.data = weight.data.contiguous()
    if dtype is not None:
        # For validation too, which has no autocast.
        part.forward = torch.autocast(mesh.device_type, dtype)(part.forward)
    for unit in part.shard_units:
        fully_shard(
            unit,
            mesh=mesh,
            reshard_after_forward=True,
            mp_policy=_policy(dtype),
            ignored_params=small,
        )
    fully_shard(
        part,
        mesh=mesh,
        reshard_after_forward=True,
        mp_policy=_policy(None),
        ignored_params=small,
    )


def _policy(dtype: torch.dtype | None) -> MixedPrecisionPolicy:
    """Gather in a type, average in float32; autocast converts activations."""
    return MixedPrecisionPolicy(
        param_dtype=dtype,
        reduce_dtype=None if dtype is None else torch.float32,
        cast_forward_inputs=False,
    )
