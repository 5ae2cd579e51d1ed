"""Time the normal noise of a batch, ours against NumPy's generator.

    python tools/benchmarks/noise.py               # 64 latents of 3x64x64
    python tools/benchmarks/noise.py --threads 1
    python tools/benchmarks/noise.py --device cuda

NumPy draws each sample by its own Philox generator and its ziggurat, and the
noise is copied to the device. Rounds alternate, and the best of each counts.
CPU time is that of all threads together.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from typing import TYPE_CHECKING

from mmldm.apis import run_tool
from mmldm.utils import check_count

if TYPE_CHECKING:
    from torch import Tensor


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--shape',
        type=int,
        nargs=4,
        default=[64, 3, 64, 64],
        metavar=('B', 'C', 'H', 'W'),
        help='shape of the noise (default: 64 3 64 64)',
    )
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    parser.add_argument(
        '--threads', type=int, default=2, help='of the CPU (default: 2)'
    )
    parser.add_argument('--rounds', type=int, default=50, help='default: 50')
    args = parser.parse_args()
    check_count('--threads', args.threads)
    check_count('--rounds', args.rounds)
    return args


def numpy_noise(keys: list[int], like: Tensor) -> Tensor:
    """The noise as NumPy draws it, copied to the device."""
    import numpy as np
    import torch

    rows = [
        np.random.Generator(np.random.Philox(key=key)).standard_normal(
            like.shape[1:], dtype=np.float32
        )
        for key in keys
    ]
    return torch.from_numpy(np.stack(rows)).to(like)


def best(jobs: dict[str, Callable], rounds: int, wait: Callable) -> dict:
    """The least wall and CPU time of each job, in ms."""
    found = {name: (float('inf'), float('inf')) for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            wait()
            wall, cpu = time.perf_counter(), time.process_time()
            job()
            wait()
            now = time.perf_counter() - wall, time.process_time() - cpu
            found[name] = tuple(map(min, found[name], now))
    return {name: (w * 1e3, c * 1e3) for name, (w, c) in found.items()}


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    import torch

    from mmldm.utils import SampleRandom, address_seed

    torch.set_num_threads(args.threads)
    like = torch.empty(args.shape, device=args.device)
    addresses = [(0, i) for i in range(len(like))]
    keys = [address_seed(address, 'noise') for address in addresses]
    random = SampleRandom(addresses)
    wait = torch.cuda.synchronize if like.is_cuda else lambda: None
    times = best(
        dict(
            ours=lambda: random.normal('noise')(like),
            NumPy=lambda: numpy_noise(keys, like),
        ),
        args.rounds,
        wait,
    )
    print(
        f'{platform.platform()}, torch {version("torch")}, {date.today()}; '
        f'{"x".join(map(str, args.shape))} on {args.device}, '
        f'{args.threads} threads'
    )
    print('| noise by | ms | ms of CPU |\n|---|---|---|')
    for name, (wall, cpu) in times.items():
        print(f'| {name} | {wall:.2f} | {cpu:.2f} |')


if __name__ == '__main__':
    run_tool(main)
