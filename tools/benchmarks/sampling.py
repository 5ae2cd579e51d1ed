"""Measure how many images a second a model samples, eager and compiled.

    python tools/benchmarks/sampling.py --channels 64 --size 32
    python tools/benchmarks/sampling.py --batch-size 64 --device cuda --compile

The denoiser is that of CelebA-HQ's LDM-4 (274 M parameters) with random
weights, its first stage the VQ-f4 autoencoder. Rows: float32, bfloat16, and
with --compile bfloat16 compiled; each with its decoder, which computes in
float32. They run in turn.
"""

from __future__ import annotations

import argparse
import statistics
from typing import TYPE_CHECKING, Any

from interleaved import (
    checked,
    clock_of,
    in_turn,
    parser_of,
    report,
    share_of_peak,
    table,
)

from mmldm.apis import run_tool

if TYPE_CHECKING:
    from mmldm.models.editors import LatentDiffusion


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__, repeats=3)
    for name, default, text in (
        ('--batch-size', 1, 'images at a time'),
        ('--size', 64, 'height and width of latents'),
        ('--steps', 20, 'evaluations of the denoiser'),
        ('--channels', 224, 'channels of the first level of the denoiser'),
        ('--stage-channels', 128, 'those of the first stage'),
    ):
        parser.add_argument(name, type=int, default=default, help=text)
    parser.add_argument('--compile', action='store_true')
    return checked(parser)


def model_of(args: argparse.Namespace) -> LatentDiffusion:
    """A latent diffusion model with random weights."""
    from mmldm.registry import MODELS

    return (
        MODELS.build(
            dict(
                type='LatentDiffusion',
                autoencoder=dict(
                    type='AutoencoderVQ',
                    latent_channels=3,
                    channels=args.stage_channels,
                    quantizer=dict(num_codes=8192),
                ),
                denoiser=dict(
                    type='DenoisingUNet',
                    channels=args.channels,
                    channels_last=True,
                ),
                conditioner=dict(type='Conditioner'),
                diffusion_scheduler=scheduler_of(args.steps),
                guidance=dict(type='NoGuidance'),
                image_size=4 * args.size,
            )
        )
        .to(args.device)
        .eval()
    )


def scheduler_of(steps: int) -> dict[str, Any]:
    """The config of the diffusion."""
    return dict(
        type='DiffusionScheduler',
        noise_schedule=dict(type='ScaledLinearBetas'),
        prediction=dict(type='EpsilonPrediction'),
        loss_weighting=dict(type='UniformWeighting'),
        timestep_sampler=dict(type='UniformTimesteps'),
        time_grid=dict(type='LogSNRGrid'),
        solver=dict(type='IPNDM', order=3),
        num_steps=steps,
    )


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    import mmldm.models  # noqa: F401
    from mmldm.diffusion import Sampling
    from mmldm.structures import LDMDataSample
    from mmldm.utils.memory import keep_freed_memory

    if args.device == 'cpu':
        keep_freed_memory()
    torch.manual_seed(0)
    model = model_of(args)
    samples = [
        LDMDataSample(metainfo=dict(address=(0, i)))
        for i in range(args.batch_size)
    ]
    ways = dict(float32=Sampling(), bfloat16=Sampling(dtype='bfloat16'))
    if args.compile:
        ways['compiled'] = Sampling(dtype='bfloat16', compile=True)
    views = {name: model.sampling_by(way) for name, way in ways.items()}
    runs = {
        name: lambda view=view: view.predict(None, samples)
        for name, view in views.items()
    }
    with FlopCounterMode(display=False) as counter:
        runs['float32']()
    seconds = in_turn(runs, args.repeats, clock_of(args), warmups=1)
    print(table(seconds, f'{args.batch_size} images'))
    middles = {name: statistics.median(s) for name, s in seconds.items()}
    report(
        args,
        images_per_s={k: args.batch_size / s for k, s in middles.items()},
        **share_of_peak(
            counter.get_total_flops(), min(middles.values()), args.device
        ),
        seconds=seconds,
    )


if __name__ == '__main__':
    run_tool(main)
