"""Time a whole training step: ours, diffusers' and the original's arithmetic.

    python tools/benchmarks/training_step.py                    # 274 M weights
    python tools/benchmarks/training_step.py --channels 64 --size 32
    python tools/benchmarks/training_step.py --batch-size 64 --device cuda

A step is forward, backward, AdamW and the running average of the weights.

  ours       bfloat16, channels_last, as our configs for GPUs
  default    diffusers' UNet2DModel as its training script has it: float32,
             torch's default AdamW, EMAModel
  best       the same with bfloat16, channels_last, fused AdamW, and the
             average by foreach
  original   the arithmetic of the original: float32, attention by two
             products and a softmax, AdamW, and an average weight by weight

Each has a process of its own; they run in turn. --compile compiles ours and
diffusers' best.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING

from interleaved import (
    checked,
    clock_of,
    in_turn,
    parser_of,
    ratio,
    report,
    share_of_peak,
    table,
)
from served import Served

from mmldm.apis import run_tool

if TYPE_CHECKING:
    from torch import Tensor, nn

Step = Callable[[], None]
Call = Callable[['Tensor', 'Tensor'], 'Tensor']


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__)
    for name, default, text in (
        ('--batch-size', 1, 'latents of a step'),
        ('--size', 64, 'height and width of latents'),
        ('--channels', 224, 'channels of the first level'),
    ):
        parser.add_argument(name, type=int, default=default, help=text)
    parser.add_argument('--compile', action='store_true')
    return checked(parser)


def config_of(args: argparse.Namespace) -> dict:
    """The denoiser of CelebA-HQ's LDM-4, or a narrower one."""
    return dict(
        type='DenoisingUNet',
        in_channels=3,
        out_channels=3,
        channels=args.channels,
    )


def our_unet(args: argparse.Namespace, **options: bool) -> nn.Module:
    """Our network on its device."""
    return unmoved_unet(args, **options).to(args.device)


def unmoved_unet(args: argparse.Namespace, **options: bool) -> nn.Module:
    """Our network."""
    from mmldm.models.denoisers import DenoisingUNet

    config = {**config_of(args), **options}
    del config['type']
    return DenoisingUNet(**config)


def ours(args: argparse.Namespace) -> Step:
    """Our step, as configs for GPUs have it."""
    import torch

    from mmldm.models.layers import compile_blocks
    from mmldm.structures import Condition
    from mmldm.utils.memory import keep_freed_memory

    if args.device == 'cpu':
        keep_freed_memory()
    unet = our_unet(args, channels_last=True)
    if args.compile:
        compile_blocks(unet)
    return step_of(
        args,
        unet,
        lambda z, t: unet(z, t, Condition()),
        foreach_average(unet),
        torch.bfloat16,
        fused=True,
    )


def original(args: argparse.Namespace) -> Step:
    """The original's arithmetic, with our network."""
    import torch

    from mmldm.models.layers import attention
    from mmldm.structures import Condition

    attention._attend = plain_attention
    unet = our_unet(args)
    average = [w.detach().clone() for w in unet.parameters()]

    @torch.no_grad()
    def update() -> None:
        for mean, weight in zip(average, unet.parameters(), strict=True):
            mean.sub_(1e-4 * (mean - weight))

    return step_of(
        args, unet, lambda z, t: unet(z, t, Condition()), update, None
    )


def diffusers_default(args: argparse.Namespace) -> Step:
    """diffusers' step, as its training script has it."""
    from diffusers.training_utils import EMAModel

    unet = diffusers_unet(args)
    average = EMAModel(unet.parameters())
    return step_of(
        args,
        unet,
        lambda z, t: unet(z, t, return_dict=False)[0],
        lambda: average.step(unet.parameters()),
        None,
    )


def diffusers_best(args: argparse.Namespace) -> Step:
    """diffusers' step with what makes it faster."""
    import torch

    unet = diffusers_unet(args).to(memory_format=torch.channels_last)
    network = torch.compile(unet) if args.compile else unet
    return step_of(
        args,
        unet,
        lambda z, t: network(
            z.contiguous(memory_format=torch.channels_last),
            t,
            return_dict=False,
        )[0],
        foreach_average(unet),
        torch.bfloat16,
        fused=True,
    )


def diffusers_unet(args: argparse.Namespace) -> nn.Module:
    """The same network of diffusers."""
    from diffusers import UNet2DModel

    import mmldm.models  # noqa: F401
    from mmldm.converters.diffusers.denoiser_config import (
        denoiser_to_diffusers_config,
    )

    arguments = denoiser_to_diffusers_config(config_of(args))
    del arguments['_class_name']
    return UNet2DModel(**arguments).to(args.device)


def foreach_average(network: nn.Module) -> Step:
    """The update of a running average in one call."""
    import torch

    raw = [w.detach() for w in network.parameters()]
    average = [w.clone() for w in raw]
    return lambda: torch._foreach_lerp_(average, raw, 1e-4)


def plain_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    num_heads: int,
    mask: Tensor | None = None,
) -> Tensor:
    """Attention that stores all weights, as the original's."""
    assert mask is None
    q, k, v = (
        x.unflatten(-1, (num_heads, -1)).transpose(1, 2) for x in (q, k, v)
    )
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def step_of(
    args: argparse.Namespace,
    network: nn.Module,
    call: Call,
    update: Step,
    dtype: object,
    **options: bool,
) -> Step:
    """A training step on random latents.

    Args:
        args: The command line.
        network: The trained network.
        call: The network's output for latents and times.
        update: Updates the average of the weights.
        dtype: Type of autocast; None for float32.
        options: Arguments of AdamW.
    """
    import torch

    shape = args.batch_size, 3, args.size, args.size
    z, noise = torch.randn(2, *shape, device=args.device)
    t = torch.randint(1000, shape[:1], device=args.device).float()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5, **options)
    network.train()

    def step() -> None:
        kind = torch.device(args.device).type
        with torch.autocast(kind, dtype, enabled=dtype is not None):
            out = call(z, t)
        (out.float() - noise).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        update()

    return step


def operations(args: argparse.Namespace) -> int:
    """Operations of a step: three times those of the forward pass."""
    import torch
    from torch._subclasses import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    from mmldm.structures import Condition

    with FakeTensorMode(), FlopCounterMode(display=False) as counter:
        unet = unmoved_unet(args)
        z = torch.zeros(args.batch_size, 3, args.size, args.size)
        unet(z, torch.zeros(args.batch_size), Condition())
    return 3 * counter.get_total_flops()


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    builds = dict(
        ours=ours,
        default=diffusers_default,
        best=diffusers_best,
        original=original,
    )
    runs = {name: Served(build, args) for name, build in builds.items()}
    seconds = in_turn(runs, args.repeats, clock_of(args))
    print(table(seconds, 'training step'))
    middle = statistics.median(seconds['ours'])
    report(
        args,
        over_ours={name: ratio(seconds, name, 'ours') for name in seconds},
        memory_mib={name: run.ask('memory') for name, run in runs.items()},
        images_per_s=args.batch_size / middle,
        **share_of_peak(operations(args), middle, args.device),
        seconds=seconds,
    )


if __name__ == '__main__':
    run_tool(main)
