"""Lines of the log, with throughput and memory."""

import resource
import sys

import torch
from mmengine.device import is_cuda_available
from mmengine.runner import LogProcessor

from mmldm.registry import LOG_PROCESSORS


@LOG_PROCESSORS.register_module()
class ThroughputLogProcessor(LogProcessor):
    """``LogProcessor`` that also logs images per second and memory.

    ``images_per_s`` counts the images of all processes; validation and
    checkpoints are not part of its time. ``memory`` is the peak of this
    process in MiB: on a CPU its resident memory, on a GPU the allocated one,
    which mmengine logs.
    """

    def _collect_scalars(
        self,
        custom_cfg: list,
        runner,
        mode: str,
        reserve_prefix: bool = False,
    ) -> dict:
        """See ``LogProcessor``."""
        tag = super()._collect_scalars(
            custom_cfg, runner, mode, reserve_prefix
        )
        prefix = f'{mode}/' if reserve_prefix else ''
        seconds = tag.get(f'{prefix}time')
        if mode == 'train' and seconds:
            images = runner.train_loop.global_batch_size
            tag[f'{prefix}images_per_s'] = images / seconds
            if not is_cuda_available():
                tag[f'{prefix}memory'] = peak_memory()
        return tag

    def _get_max_memory(self, runner) -> int:
        """See ``LogProcessor``, which puts the number on the GPU and back."""
        peak = torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return peak // 2**20


def peak_memory() -> int:
    """Largest resident memory of this process until now, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024**2 if sys.platform == 'darwin' else 1024)
