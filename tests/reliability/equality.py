"""Whether two checkpoints are of the same training, bit for bit."""

from collections.abc import Iterator
from typing import Any

import torch

# What differs between two equal trainings: when, where and how long.
OWN = (
    *('time', 'data_time', 'memory', 'eta', 'experiment_name', 'cfg'),
    'last_ckpt',
)


def state(value: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """(path, value) of all that a checkpoint holds, but its own times."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        yield path, value
        return
    for key, below in items:
        if str(key).rpartition('/')[2] not in OWN:
            yield from state(below, f'{path}.{key}')


def differences(one: Any, other: Any) -> list[str]:
    """Paths at which two checkpoints are not the same bits."""
    one, other = dict(state(one)), dict(state(other))
    lone = one.keys() ^ other.keys()
    shared = one.keys() & other.keys()
    return sorted(lone | {k for k in shared if not same(one[k], other[k])})


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same bits."""
    if not isinstance(one, torch.Tensor):
        return type(one) is type(other) and repr(one) == repr(other)
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and torch.equal(bits(one), bits(other))


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of a tensor."""
    return tensor.contiguous().flatten().view(torch.uint8)
