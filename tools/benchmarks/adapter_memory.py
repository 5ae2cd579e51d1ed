"""Measure memory and time of a training step of an adapter.

    python tools/benchmarks/adapter_memory.py
    python tools/benchmarks/adapter_memory.py --config CONFIG --latent 32

The denoiser of a config gets generated weights and an adapter of rank 16 on
its attention. Each row is a process of its own: float32, with checkpointing
(blocks are computed again in the backward pass), with frozen weights in
bfloat16, and with both. Memory is the peak of the process during the steps,
the weights included; first stage and text encoder are not there. The default
is the denoiser of Stable Diffusion 1, 860 M parameters, on images of 512x512.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from datetime import date
from typing import TYPE_CHECKING, Any

from peak_memory import forget_peak, peak_memory

from mmldm.apis import run_tool
from mmldm.utils import check_count

if TYPE_CHECKING:
    from torch import nn

CONFIG = 'mmldm::_base_/models/ldm_kl-f8.py'
TOKENS, CONTEXT_DIM = 77, 768
ROWS = {
    'float32': {},
    'checkpointing': dict(checkpointing=True),
    'bfloat16': dict(dtype='bfloat16'),
    'both': dict(checkpointing=True, dtype='bfloat16'),
}
RANK = 16


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--config', default=CONFIG, help=f'config (default: {CONFIG})'
    )
    parser.add_argument(
        '--latent',
        type=int,
        default=64,
        help='side of the latents (default: 64)',
    )
    parser.add_argument(
        '--steps', type=int, default=2, help='training steps (default: 2)'
    )
    parser.add_argument(
        '--rows',
        nargs='+',
        choices=ROWS,
        default=[*ROWS],
        help='rows of the table (default: all)',
    )
    parser.add_argument('--row', choices=ROWS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    check_count('--latent', args.latent)
    check_count('--steps', args.steps)
    return args


def build(
    config: str, checkpointing: bool = False, dtype: str = 'float32'
) -> nn.Module:
    """A denoiser with generated frozen weights and an adapter."""
    import torch
    from mmengine.registry import init_default_scope

    from mmldm.apis.config import read_config
    from mmldm.models.adapters import LoRA
    from mmldm.registry import MODELS

    init_default_scope('mmldm')
    own = dict(read_config(config).model.denoiser)
    own |= dict(in_channels=4, out_channels=4, context_dim=CONTEXT_DIM)
    with torch.device('meta'):
        denoiser = MODELS.build(own | dict(checkpointing=checkpointing))
    denoiser.to(getattr(torch, dtype)).to_empty(device='cpu')
    for weight in denoiser.parameters():
        torch.nn.init.normal_(weight, std=0.02)
    adapter = LoRA('generated', RANK, dtype=dtype)
    adapter.adapt(dict(denoiser=denoiser))
    return denoiser.train()


def measure(args: argparse.Namespace) -> dict[str, float]:
    """Seconds of a step, and peak memory of the steps in GB."""
    import torch

    from mmldm.structures import Condition

    denoiser = build(args.config, **ROWS[args.row])
    weights = [w for w in denoiser.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(weights)
    kind = next(w for w in denoiser.parameters() if not w.requires_grad).dtype
    z_t = torch.randn(1, 4, args.latent, args.latent, dtype=kind)
    tokens = torch.randn(1, TOKENS, CONTEXT_DIM, dtype=kind)
    forget_peak('cpu')  # of the construction
    seconds = []
    for _ in range(args.steps):
        start = time.perf_counter()
        out = denoiser(z_t, torch.tensor([500]), Condition(tokens=tokens))
        out.float().square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    return dict(
        memory=peak_memory('cpu') / 1024,
        seconds=min(seconds),
        trained=count(weights),
    )


def count(weights: list[Any]) -> float:
    """Number of elements in millions."""
    return sum(weight.numel() for weight in weights) / 1e6


def main() -> None:
    """Print the table."""
    args = parse_args()
    if args.row is not None:
        print(json.dumps(measure(args)))
        return
    import torch

    print(
        f'{args.config}, latents {args.latent}x{args.latent}, rank {RANK}, '
        f'{date.today()}, torch {torch.__version__}, '
        f'{torch.get_num_threads()} threads, {platform.machine()}'
    )
    first = None
    for row in args.rows:
        command = [sys.executable, *sys.argv, '--row', row]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ValueError(
                f'--row {row} failed: {done.stderr.splitlines()[-1:]}'
            )
        found = json.loads(done.stdout.splitlines()[-1])
        first = first or found['memory']
        print(
            f'{row:14} {found["memory"]:6.2f} GB '
            f'({found["memory"] / first - 1:+.0%}), '
            f'{found["seconds"]:.1f} s a step, {found["trained"]:.2f} M '
            'weights trained',
            flush=True,
        )


if __name__ == '__main__':
    run_tool(main)
