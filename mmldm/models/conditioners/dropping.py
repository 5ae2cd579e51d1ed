"""Reading of samples that are not dropped."""

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from mmldm.structures import LDMDataSample
from mmldm.utils.typing import SampleList

Said = TypeVar('Said')


def unless_dropped(
    read: Callable[[LDMDataSample], Said],
    data_samples: SampleList,
    drop: Tensor,
    null: Said,
) -> list[Said]:
    """The results of ``read`` for kept samples, and null for dropped ones.

    Args:
        read: Reads one sample; not called for dropped ones.
        data_samples: The batch.
        drop: (B,) bool on the CPU, True for dropped samples.
        null: Result for dropped samples.
    """
    return [
        null if dropped else read(sample)
        for sample, dropped in zip(data_samples, drop.tolist(), strict=True)
    ]
