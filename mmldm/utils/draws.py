"""Random numbers addressed by sample, not taken from a stream.

What a sample draws is a function of its *address*, a tuple of integers such
as (seed, position of the sample in the run), and of the *name* of the draw.
Hence a resumed run, another number of processes, loader workers or another
batch size see the same numbers, and a new draw shifts no other.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .typing import DrawNoise, SampleList

Address = tuple[int, ...]

# The golden ratio's fractional part, whose multiples modulo 1 leave the
# smallest gaps; in units of 2^-64, for exact sums at any position.
GOLDEN = 0x9E3779B97F4A7C15


def address_seed(address: Address, name: str = '') -> int:
    """A 128-bit seed from an address and the name of what is drawn."""
    text = '/'.join(map(str, (*address, name)))
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest, 'little')


def _generator(address: Address, name: str) -> np.random.Generator:
    return np.random.Generator(
        np.random.Philox(key=address_seed(address, name))
    )


class Draws:
    """The draws of a batch, one address per sample.

    Numbers are made on the CPU and moved, so that a GPU sees the same.

    Args:
        addresses: One address per sample of the batch.
    """

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.addresses = list(addresses)

    @classmethod
    def of(cls, data_samples: SampleList) -> 'Draws':
        """The draws of data samples.

        Samples made by hand, without address, get fresh ones from torch's
        global generator.
        """
        addresses = [sample.draw_address for sample in data_samples]
        if None in addresses:
            base = int(torch.randint(2**62, ()))
            addresses = [a or (base, i) for i, a in enumerate(addresses)]
        return cls(addresses)

    def uniform(self, name: str) -> Tensor:
        """Uniform in [0, 1), float64 on the CPU, shape (B,)."""
        return torch.tensor(
            [_generator(a, name).random() for a in self.addresses],
            dtype=torch.float64,
        )

    def stratified(self, name: str) -> Tensor:
        """Uniform as :meth:`uniform`, evenly spread over neighbours.

        An additive recurrence of the golden ratio (Kronecker's sequence) in
        the address's last number, the position, from a start that the rest
        of the address draws: any run of positions fills [0, 1) evenly,
        however it is cut into batches, processes and resumed runs.
        """
        sums = [
            address_seed(rest, name) + position * GOLDEN
            for *rest, position in self.addresses
        ]
        # The 53 of the 64 bits that float64 holds.
        return torch.tensor(
            [(number % 2**64 >> 11) * 2.0**-53 for number in sums],
            dtype=torch.float64,
        )

    def normal(self, name: str) -> DrawNoise:
        """Standard normal noise: equal at every call."""
        return lambda like: self._normal(name, like)

    def normal_stream(self, name: str) -> DrawNoise:
        """Standard normal noise: fresh at every call, as solvers need it."""
        generators = [_generator(a, name) for a in self.addresses]
        return lambda like: _stack_normal(generators, like)

    def _normal(self, name: str, like: Tensor) -> Tensor:
        generators = [_generator(a, name) for a in self.addresses]
        return _stack_normal(generators, like)


def _stack_normal(
    generators: list[np.random.Generator], like: Tensor
) -> Tensor:
    """One standard normal sample per generator, (B, *like.shape[1:])."""
    assert len(generators) == len(like), (len(generators), like.shape)
    noise = np.stack(
        [
            generator.standard_normal(like.shape[1:], dtype=np.float32)
            for generator in generators
        ]
    )
    return torch.from_numpy(noise).to(like)
