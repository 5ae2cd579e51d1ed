"""Time our UNet against diffusers' with the same weights.

    python tools/benchmarks/denoiser.py
    python tools/benchmarks/denoiser.py --context-dim 512 --num-tokens 77
    python tools/benchmarks/denoiser.py CONFIG --batch-size 8 --device cuda

Forward pass and train step (forward and backward), in float32 and under
bfloat16 autocast, with NCHW and channels_last memory. Runs of the two
networks alternate, so that a busy machine slows both alike; what counts is
the ratio, the median over pairs of runs. The last lines compare our default
settings with diffusers' defaults, and with its best row.

Without CONFIG: the denoiser of configs/ldm/ldm_kl-f4_8xb8-200k_images-256x256
(274 M parameters). Needs diffusers (requirements/tests.txt).
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch
from mmengine.config import Config
from rich.progress import track
from torch import Tensor, nn

from mmldm.apis import run_tool
from mmldm.converters import (
    denoiser_to_diffusers,
    denoiser_to_diffusers_config,
)
from mmldm.models.denoisers import DenoisingUNet
from mmldm.registry import MODELS
from mmldm.structures import Condition

CONFIG = (
    Path(__file__).resolve().parents[2]
    / 'configs/ldm/ldm_kl-f4_8xb8-200k_images-256x256.py'
)
WARMUPS = 2
DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16}
FORMATS = {
    'NCHW': torch.contiguous_format,
    'channels_last': torch.channels_last,
}


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config',
        nargs='?',
        default=CONFIG,
        help='config of a latent diffusion model, whose denoiser is timed',
    )
    for name, default, text in (
        ('--context-dim', None, 'channels of tokens for cross-attention'),
        ('--num-tokens', 1, 'tokens of each image, with --context-dim'),
        ('--size', 64, 'height and width of latents'),
        ('--batch-size', 1, 'latents of a run'),
        ('--repeats', 5, 'pairs of runs of each row'),
    ):
        parser.add_argument(
            name,
            type=int,
            default=default,
            help=f'{text} (default: {default})',
        )
    parser.add_argument(
        '--device', default='cpu', help='cpu or cuda (default: cpu)'
    )
    parser.add_argument(
        '--compile', action='store_true', help='time both under torch.compile'
    )
    return parser.parse_args()


@dataclass
class Contestant:
    """A network, and how it is called on (latents, times, tokens)."""

    network: nn.Module
    call: Callable[..., Tensor]


@dataclass(frozen=True)
class Row:
    """One setting of the table."""

    task: str  # 'forward' or 'train step'
    dtype: str
    memory_format: str

    def __str__(self) -> str:
        return f'{self.task} | {self.dtype} | {self.memory_format}'


@dataclass(frozen=True)
class Result:
    """Seconds of each run of both, and how far the outputs are apart."""

    ours: list[float]
    theirs: list[float]
    difference: float

    @property
    def ratio(self) -> float:
        """How often ours goes into theirs; more than 1 is faster."""
        pairs = zip(self.theirs, self.ours, strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)


def build(args: argparse.Namespace) -> tuple[Contestant, Contestant]:
    """Our network and diffusers', with the same weights."""
    import diffusers

    config = Config.fromfile(args.config).model.get('denoiser')
    if config is None:
        raise ValueError(
            f'{args.config} has no model.denoiser: give the config of a '
            'latent diffusion model'
        )
    config = config.to_dict()
    if args.context_dim is not None:
        config['context_dim'] = args.context_dim
    ours = MODELS.build(dict(config))
    for weight in ours.parameters():
        if not weight.any():  # a zero output says nothing of a difference
            nn.init.normal_(weight, std=0.02)
    arguments = denoiser_to_diffusers_config(config)
    theirs = getattr(diffusers, arguments.pop('_class_name'))(**arguments)
    theirs.load_state_dict(denoiser_to_diffusers(ours.state_dict(), config))
    ours, theirs = ours.to(args.device), theirs.to(args.device)
    run_ours, run_theirs = ours, theirs
    if args.compile:
        run_ours, run_theirs = torch.compile(ours), torch.compile(theirs)
    return (
        Contestant(
            ours, lambda z, t, tokens: run_ours(z, t, Condition(tokens=tokens))
        ),
        Contestant(theirs, _diffusers_call(run_theirs, ours.context_dim)),
    )


def _diffusers_call(
    network: nn.Module, context_dim: int | None
) -> Callable[..., Tensor]:
    if context_dim is None:
        return lambda z, t, tokens: network(z, t, return_dict=False)[0]
    return lambda z, t, tokens: network(z, t, tokens, return_dict=False)[0]


def inputs(args: argparse.Namespace, unet: DenoisingUNet) -> tuple:
    """Latents, times and tokens."""
    torch.manual_seed(0)
    size = args.size, args.size
    z = torch.randn(args.batch_size, unet.in_channels, *size)
    t = torch.randint(1000, (args.batch_size,)).float()
    tokens = None
    if unet.context_dim is not None:
        tokens = torch.randn(
            args.batch_size, args.num_tokens, unet.context_dim
        ).to(args.device)
    return z.to(args.device), t.to(args.device), tokens


def run(contestant: Contestant, row: Row, batch: tuple) -> Tensor:
    """One forward pass, and the backward pass of a train step."""
    z, t, tokens = batch
    z = z.contiguous(memory_format=FORMATS[row.memory_format])
    trains = row.task == 'train step'
    with (
        torch.set_grad_enabled(trains),
        torch.autocast(
            z.device.type, DTYPES[row.dtype], enabled=row.dtype != 'float32'
        ),
    ):
        out = contestant.call(z, t, tokens)
    if trains:
        out.float().square().mean().backward()
        contestant.network.zero_grad(set_to_none=True)
    return out.detach().float()


def seconds(contestant: Contestant, row: Row, batch: tuple) -> float:
    """Of one run."""
    _wait(batch[0])
    start = time.perf_counter()
    run(contestant, row, batch)
    _wait(batch[0])
    return time.perf_counter() - start


def _wait(tensor: Tensor) -> None:
    """Until a GPU has done what it was told."""
    if tensor.is_cuda:
        torch.cuda.synchronize()


def measure(
    both: tuple[Contestant, Contestant], row: Row, batch: tuple, repeats: int
) -> Result:
    """Alternate; the first pairs warm up, and give the outputs."""
    torch.compiler.reset()  # a few settings only are compiled, then none
    for contestant in both:
        contestant.network.to(memory_format=FORMATS[row.memory_format])
    both[0].network.channels_last = row.memory_format == 'channels_last'
    for _ in range(WARMUPS):
        outputs = [run(contestant, row, batch) for contestant in both]
    difference = (outputs[0] - outputs[1]).abs().max()
    times: list[list[float]] = [[], []]
    for i in range(repeats):
        for which in (0, 1) if i % 2 else (1, 0):
            times[which].append(seconds(both[which], row, batch))
    scale = outputs[1].abs().max()
    return Result(*times, float(difference / scale))


def rows() -> list[Row]:
    """All settings, the fastest last."""
    return [
        Row(task, dtype, memory_format)
        for task in ('forward', 'train step')
        for dtype in DTYPES
        for memory_format in FORMATS
    ]


def table(results: dict[Row, Result]) -> str:
    """Markdown: medians, ratio, difference of outputs."""
    lines = [
        '| task | dtype | memory | ours (s) | diffusers (s) '
        '| diffusers / ours | outputs differ by |',
        '|---|---|---|---|---|---|---|',
    ]
    for row, result in results.items():
        lines.append(
            f'| {row} | {statistics.median(result.ours):.3f} '
            f'| {statistics.median(result.theirs):.3f} '
            f'| {result.ratio:.2f} | {result.difference:.1e} |'
        )
    return '\n'.join(lines)


def verdict(results: dict[Row, Result]) -> str:
    """Our defaults against diffusers' defaults, and against its best."""
    steps = {r: x for r, x in results.items() if r.task == 'train step'}
    ours = statistics.median(
        steps[Row('train step', 'bfloat16', 'channels_last')].ours
    )
    default = statistics.median(
        steps[Row('train step', 'float32', 'NCHW')].theirs
    )
    best = min(statistics.median(result.theirs) for result in steps.values())
    slowest = min(results, key=lambda row: results[row].ratio)
    return (
        f'train step, our defaults (bfloat16, channels_last): {ours:.3f} s; '
        f"{default / ours:.2f} times as fast as diffusers' defaults, "
        f'{best / ours:.2f} times as fast as its best row\n'
        f'smallest ratio of a row: {results[slowest].ratio:.2f} ({slowest})'
    )


def main() -> None:
    """Measure and print."""
    args = parse_args()
    both = build(args)
    batch = inputs(args, both[0].network)
    params = sum(p.numel() for p in both[0].network.parameters())
    device = (
        torch.cuda.get_device_name()
        if args.device.startswith('cuda')
        else f'{platform.processor() or platform.machine()}, '
        f'{torch.get_num_threads()} threads'
    )
    print(
        f'{params / 1e6:.0f} M parameters, {tuple(batch[0].shape)} latents, '
        f'{device}, torch {torch.__version__}, {date.today()}'
    )
    results = {
        row: measure(both, row, batch, args.repeats)
        for row in track(rows(), description='rows')
    }
    print(table(results))
    print(verdict(results))


if __name__ == '__main__':
    run_tool(main)
