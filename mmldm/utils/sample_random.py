"""Random numbers that are functions of a sample's address.

The random numbers of a sample depend only on its *address*, a tuple of
integers such as (seed, position of the sample in the run), and on their
*name*. They are the same in a resumed run, and with any batch size and number
of processes or loader workers. A new name does not change the numbers of
another name.
"""

import hashlib
from collections.abc import Sequence
from itertools import count

import numpy as np
import torch
from torch import Tensor

from . import philox
from .typing import DrawNoise, SampleList

Address = tuple[int, ...]

# The fractional part of the golden ratio, in units of 2^-64 for exact sums:
# its multiples modulo 1 leave the smallest gaps.
GOLDEN = 0x9E3779B97F4A7C15


def address_seed(address: Address, name: str = '') -> int:
    """A 128-bit seed from an address and the name of the random numbers."""
    text = '/'.join(map(str, (*address, name)))
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest, 'little')


def _generator(address: Address, name: str) -> np.random.Generator:
    return np.random.Generator(
        np.random.Philox(key=address_seed(address, name))
    )


class SampleRandom:
    """Random numbers of a batch, with one address for each sample.

    Uniform numbers are made on the CPU. Normal ones are made on the device
    that needs them (``philox.py``), the same on all devices up to rounding.

    Args:
        addresses: One address for each sample of the batch.
    """

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.addresses = list(addresses)

    @classmethod
    def of(cls, data_samples: SampleList) -> 'SampleRandom':
        """The random numbers of data samples.

        Samples without address, made by hand, get new addresses from torch's
        global generator.
        """
        addresses = [sample.random_address for sample in data_samples]
        if None in addresses:
            base = int(torch.randint(2**62, ()))
            addresses = [a or (base, i) for i, a in enumerate(addresses)]
        return cls(addresses)

    def uniform(self, name: str) -> Tensor:
        """Uniform numbers in [0, 1), float64 on the CPU, shape (B,)."""
        return torch.tensor(
            [_generator(a, name).random() for a in self.addresses],
            dtype=torch.float64,
        )

    def stratified(self, name: str) -> Tensor:
        """Uniform numbers as of :meth:`uniform`, spread evenly over positions.

        They are an additive recurrence of the golden ratio (Kronecker's
        sequence) in the address's last number, the position; the rest of the
        address seeds its start. Any consecutive positions fill [0, 1) evenly,
        for any division into batches, processes and resumed runs.
        """
        sums = [
            address_seed(rest, name) + position * GOLDEN
            for *rest, position in self.addresses
        ]
        # Keep 53 of the 64 bits, as many as float64 holds.
        return torch.tensor(
            [(number % 2**64 >> 11) * 2.0**-53 for number in sums],
            dtype=torch.float64,
        )

    def normal(self, name: str) -> DrawNoise:
        """Standard normal noise, the same at every call."""
        keys = self._keys(name)
        return lambda like: philox.normal(keys, 0, like)

    def normal_stream(self, name: str) -> DrawNoise:
        """Standard normal noise, new at every call, as solvers need it."""
        keys, calls = self._keys(name), count()
        return lambda like: philox.normal(keys, next(calls), like)

    def _keys(self, name: str) -> list[int]:
        return [address_seed(address, name) for address in self.addresses]
