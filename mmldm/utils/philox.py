"""Normal noise as a function of (key, call, position), on any device.

Philox4x64-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2,
3) turns a 128-bit key and a counter into four words of 64 bits. On the CPU,
NumPy makes the words, and several threads share the samples. On other devices
they come from integer tensor operations, without a copy of the noise and
without waiting for the device. Words are the same everywhere; normal numbers
(Box and Muller 1958) are the same up to rounding.
"""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from .devices import to_device

ROUNDS = 10
FACTORS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
# What a key grows by from round to round.
KEY_STEPS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
LOW = 2**32 - 1
# Fewer normal numbers are not worth a second thread: 2^16 take 0.2 ms.
NUMBERS_A_THREAD = 2**16

# A radius has 31 random bits, an angle 32 with a sign.
RADIUS_BITS = 2**31 - 1
RADIUS_UNIT = 2.0**-31
ANGLE_UNIT = math.pi * 2.0**-31


def normal(keys: Sequence[int], call: int, like: Tensor) -> Tensor:
    """Standard normal noise with the shape, dtype and device of ``like``.

    Args:
        keys: A 128-bit key for each sample.
        call: Which of the independent noises of a key, in [0, 2^64).
        like: (B, ...).
    """
    assert len(keys) == len(like), (len(keys), like.shape)
    count = like[0].numel()
    if like.device.type == 'cpu':
        noise = torch.from_numpy(_normal_on_cpu(keys, call, count))
    else:
        rounds = to_device(torch.from_numpy(round_keys(keys)), like.device)
        noise = box_muller(words(rounds, call, -(-count // 2)))
    return noise[:, :count].reshape(like.shape).to(like.dtype)


def round_keys(keys: Sequence[int]) -> np.ndarray:
    """The keys of all rounds, as the bits of int64, (ROUNDS, B, 2, 1)."""
    halves = [(key % 2**64, key >> 64) for key in keys]
    first = np.array(halves, np.uint64)[:, :, None]
    steps = np.array(KEY_STEPS, np.uint64)[:, None]
    rounds = np.arange(ROUNDS, dtype=np.uint64)[:, None, None, None]
    return (first + rounds * steps).view(np.int64)


def words(rounds: Tensor, call: int, count: int) -> Tensor:
    """Random words as the bits of int64, (B, count), on the keys' device.

    As NumPy does, the first block counts as 1.

    Args:
        rounds: See :func:`round_keys`.
        call: See :func:`normal`.
        count: Number of words of each key.
    """
    blocks = torch.arange(1, 1 - (-count // 4), device=rounds.device)
    zero = torch.zeros_like(blocks)
    even = torch.stack([blocks, zero])
    odd = torch.stack([torch.full_like(blocks, call), zero])
    return philox(rounds, even, odd).flatten(1)[:, :count]


def philox(rounds: Tensor, even: Tensor, odd: Tensor) -> Tensor:
    """Philox4x64-10 of counters, (B, n, 4), all as the bits of int64.

    Args:
        rounds: See :func:`round_keys`.
        even: Words 0 and 2 of the counters, (2, n).
        odd: Words 1 and 3 of the counters, (2, n).
    """
    factors = _factors(rounds.device)
    for key in rounds:
        low, high = _product(even, *factors)
        even, odd = high.flip(-2) ^ odd ^ key, low.flip(-2)
    return torch.stack([even, odd], 2).flatten(1, 2).transpose(1, 2)


def _product(x: Tensor, whole: Tensor, low: Tensor, high: Tensor):
    """Low and high half of an unsigned product of 64-bit numbers."""
    x_low, x_high = x & LOW, x >> 32 & LOW
    cross = x_high * low + (x_low * low >> 32 & LOW)
    other = x_low * high + (cross & LOW)
    return (
        x * whole,
        x_high * high + (cross >> 32 & LOW) + (other >> 32 & LOW),
    )


@cache
def _factors(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The factors, and their low and high halves, each (2, 1)."""
    whole = np.array(FACTORS, np.uint64)[:, None]
    parts = whole, whole & np.uint64(LOW), whole >> np.uint64(32)
    parts = (torch.from_numpy(p.view(np.int64)) for p in parts)
    return tuple(to_device(part, device) for part in parts)


def box_muller(random: Tensor) -> Tensor:
    """Two standard normal numbers a word, float32; |x| < 6.7.

    Args:
        random: Words as the bits of int64, (B, n).
    """
    bits, angle = random.contiguous().view(torch.int32).chunk(2, 1)
    fraction = ((bits & RADIUS_BITS).float() + 0.5) * RADIUS_UNIT
    radius = (fraction.log() * -2).sqrt()
    angle = angle.float() * ANGLE_UNIT
    return torch.cat([angle.cos() * radius, angle.sin() * radius], 1)


def _normal_on_cpu(keys: Sequence[int], call: int, count: int) -> np.ndarray:
    """As :func:`box_muller` of :func:`words`, (B, count or count + 1)."""
    pairs = -(-count // 2)
    noise = np.empty((len(keys), 2 * pairs), np.float32)
    fill = partial(_fill, call=call)
    threads = min(torch.get_num_threads(), noise.size // NUMBERS_A_THREAD)
    if threads < 2:
        fill(keys, noise)
        return noise
    shares = [slice(i, None, threads) for i in range(threads)]
    pool = _pool(os.getpid(), threads)
    own = [pool.submit(fill, keys[s], noise[s]) for s in shares[1:]]
    fill(keys[shares[0]], noise[shares[0]])
    for future in own:
        future.result()
    return noise


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of this process; a forked one needs its own."""
    return ThreadPoolExecutor(threads - 1, 'noise')


def _fill(keys: Sequence[int], noise: np.ndarray, call: int) -> None:
    """Write the noise of each key into its row, (B, 2n) float32."""
    pairs = noise.shape[1] // 2
    half = np.float32(0.5)
    # One generator, set to each key in turn: making them takes longer.
    stream = np.random.Philox(key=0, counter=[0, call, 0, 0])
    state = stream.state
    for key, row in zip(keys, noise, strict=True):
        state['state']['key'][:] = key % 2**64, key >> 64
        stream.state = state
        bits = stream.random_raw(pairs).view(np.int32)
        radius, angle = row[:pairs], row[pairs:]
        radius[:] = bits[:pairs] & RADIUS_BITS
        radius += half
        radius *= np.float32(RADIUS_UNIT)
        np.log(radius, out=radius)
        radius *= np.float32(-2)
        np.sqrt(radius, out=radius)
        angle[:] = bits[pairs:]
        angle *= np.float32(ANGLE_UNIT)
        cosine = np.cos(angle)
        np.sin(angle, out=angle)
        angle *= radius
        radius *= cosine
