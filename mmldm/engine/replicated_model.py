"""Data parallelism: each process has the whole model and a part of a batch."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from torch import Tensor, nn

from mmldm.registry import MODEL_WRAPPERS
from mmldm.utils import check_choice


@MODEL_WRAPPERS.register_module()
class ReplicatedModel(MMDistributedDataParallel):
    """torch's ``DistributedDataParallel``, on GPUs and on CPUs.

    Gradients are averaged in buckets while backward runs, and live in these
    buckets, which saves their memory and a copy. It is the default for
    several processes.

    Args:
        module: The model.
        gradient_compression: 'bfloat16' sends half as many bytes, with
            gradients of 8 significant bits; None sends them as they are.
        find_unused_parameters: Search each step for parameters without
            gradient, which takes time.
        static_graph: The same parameters are without gradient in every step,
            so that one search is enough. It needs
            ``accumulative_counts=1``.
        device_ids: The GPU of this process; ignored on a CPU.
        kwargs: Other arguments of ``DistributedDataParallel``, such as
            ``bucket_cap_mb``.

    Raises:
        ValueError: If ``gradient_compression`` is unknown.
    """

    def __init__(
        self,
        module: nn.Module,
        gradient_compression: str | None = None,
        find_unused_parameters: bool = False,
        static_graph: bool = False,
        device_ids: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        key = 'model_wrapper_cfg.gradient_compression'
        if gradient_compression is not None:
            check_choice(key, gradient_compression, ['bfloat16'])
        on_gpu = next(module.parameters()).is_cuda
        super().__init__(
            module=module,
            device_ids=device_ids if on_gpu else None,
            find_unused_parameters=find_unused_parameters,
            static_graph=static_graph,
            # Buffers are set where all processes compute the same.
            **dict(broadcast_buffers=False, gradient_as_bucket_view=True)
            | kwargs,
        )
        if gradient_compression is not None:
            self.register_comm_hook(None, average_in_bfloat16)


def average_in_bfloat16(
    group: dist.ProcessGroup | None, bucket: dist.GradBucket
) -> torch.futures.Future[Tensor]:
    """Communication hook that sends a bucket of gradients in bfloat16.

    torch's own hook works on GPUs only.

    Args:
        group: The processes; None for all.
        bucket: Gradients, which get the average.
    """
    flat = bucket.buffer()
    sent = (flat / dist.get_world_size(group)).bfloat16()
    work = dist.all_reduce(sent, group=group, async_op=True)
    return work.get_future().then(lambda done: flat.copy_(done.value()[0]))
