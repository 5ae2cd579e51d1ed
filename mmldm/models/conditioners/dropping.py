"""Reading what is not dropped."""

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
    """What ``read`` makes of every sample; null, unread, where dropped.

    Args:
        read: Sample to what it says.
        data_samples: The batch.
        drop: (B,) bool on the CPU, True where nothing shall be said.
        null: What says nothing.
    """
    return [
        null if dropped else read(sample)
        for sample, dropped in zip(data_samples, drop.tolist(), strict=True)
    ]
