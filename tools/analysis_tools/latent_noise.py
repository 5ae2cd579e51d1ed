"""Measure how much noise on its latents a first stage tolerates.

    python tools/analysis_tools/latent_noise.py CONFIG CHECKPOINT
    python tools/analysis_tools/latent_noise.py CONFIG CHECKPOINT \\
        --noise 0.05 0.1 0.2

CONFIG and CHECKPOINT are those of a first stage. It encodes the images of
test_dataloader, adds noise to their latents and decodes them. Noise is given
in standard deviations of the latents. The tool prints PSNR, distance in the
features of EfficientNet-Lite0, and gradient energy over that of the images. A
diffusion model's latents have errors too: a first stage that loses much makes
them visible.
"""

from __future__ import annotations

import argparse

from mmldm.apis import build_runner, load_config, run_tool, tool_parser
from mmldm.utils.files import check_checkpoint

COLUMNS = {
    'PSNR': 'recon/psnr',
    'features': 'distance/features',
    'gradient': 'sharpness/gradient',
}


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        'checkpoint',
        help='checkpoint file, or a work directory, for its newest one',
    )
    parser.add_argument(
        '--noise',
        type=float,
        nargs='+',
        default=[0.05, 0.1, 0.2],
        help='deviations of the noise (default: 0.05 0.1 0.2)',
    )
    return parser.parse_args()


def table(noises: list[float], rows: list[dict[str, float]]) -> str:
    """The metrics for each noise, and what it costs of the PSNR, dB."""
    heads = ['noise', *COLUMNS, 'cost, dB']
    lines = [''.join(f'{head:>10}' for head in heads)]
    for noise, row in zip(noises, rows, strict=True):
        values = [row[name] for name in COLUMNS.values()]
        cost = rows[0]['recon/psnr'] - row['recon/psnr']
        lines.append(
            f'{noise:>10g}{values[0]:>10.2f}{values[1]:>10.3f}'
            f'{values[2]:>10.3f}{cost:>10.2f}'
        )
    return '\n'.join(lines)


def main() -> None:
    """Measure and print a table."""
    args = parse_args()
    check_checkpoint('checkpoint', args.checkpoint)
    for noise in args.noise:
        if noise <= 0:
            raise ValueError(
                f'--noise {noise:g} must be above 0: the first row of the '
                'table has no noise'
            )
    from mmldm.apis.loaded_first_stage import loaded_first_stage
    from mmldm.evaluation import (
        FeatureDistance,
        ReconstructionMetrics,
        Sharpness,
    )
    from mmldm.evaluation.noise_tolerance import noise_tolerance

    cfg = load_config(args)
    cfg.load_from, cfg.resume = args.checkpoint, False
    if cfg.get('test_dataloader') is None:
        raise ValueError(
            f'{args.config} has no test_dataloader: set it to the images to '
            'reconstruct'
        )
    runner = build_runner(cfg)
    model = loaded_first_stage(runner, args.config)
    metrics = [ReconstructionMetrics(), FeatureDistance(), Sharpness()]
    noises = [0.0, *args.noise]
    rows = noise_tolerance(
        model, runner.build_dataloader(cfg.test_dataloader), noises, metrics
    )
    print(table(noises, rows))


if __name__ == '__main__':
    run_tool(main)
