"""Measure the latents of a first stage, and store their scale.

    python tools/analysis_tools/latent_stats.py CONFIG CHECKPOINT
    python tools/launch.py GPUS tools/analysis_tools/latent_stats.py \\
        CONFIG CHECKPOINT --launcher pytorch

CONFIG and CHECKPOINT are those of a first stage. It encodes images spread over
the data of train_dataloader, augmented by its pipeline with --seed, and
samples of the posterior are measured, as in the training of a diffusion model.
The tool prints mean, standard deviation and scale of the raw latents. It
stores in CHECKPOINT one scale for all channels, or a scale and a shift for
each, which every model with this first stage then uses.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mmldm.apis import build_runner, load_config, run_tool, tool_parser
from mmldm.utils import check_count
from mmldm.utils.files import check_checkpoint, check_file_to_write

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from torch import Tensor

    from mmldm.models.editors import FirstStage


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        'checkpoint',
        help='checkpoint file, or a work directory, for its newest one',
    )
    parser.add_argument(
        '--num-images',
        type=int,
        default=1024,
        help='images to encode (default: 1024), or all if there are fewer',
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=32,
        help='images to encode at a time (default: 32)',
    )
    parser.add_argument(
        '--per-channel',
        action='store_true',
        help='store a scale and a shift for every channel',
    )
    parser.add_argument(
        '--out',
        metavar='FILE.pth',
        help='store the result in a copy of the checkpoint, and do not change '
        'CHECKPOINT',
    )
    return parser.parse_args()


def check_args(args: argparse.Namespace) -> tuple[Path, Path]:
    """The file to read and the one to write.

    Raises:
        ValueError: If a number is not positive, or the file to write is not
            a ``.pth``.
    """
    from mmldm.utils.checkpoint import newest_checkpoint

    check_count('--num-images', args.num_images)
    check_count('--batch-size', args.batch_size)
    source = Path(args.checkpoint)
    if source.is_dir():
        source = newest_checkpoint(source) or source
    target = Path(args.out or source)
    if target.suffix == '.safetensors':
        raise ValueError(
            f'the result cannot be stored in {target}: set --out FILE.pth'
        )
    check_checkpoint('checkpoint', args.checkpoint)
    if args.out is not None:
        check_file_to_write('--out', args.out)
    return source, target


def table(moments: Tensor) -> str:
    """Mean, standard deviation and scale of raw latents, by channel."""
    from mmldm.utils.moments import pooled_moments

    lines = [f'{"channel":>7}{"mean":>12}{"std":>12}{"scale":>12}']
    rows = {'all': moments.flatten(0, 1)}
    rows |= {str(c): moments[:, c] for c in range(moments.shape[1])}
    for name, part in rows.items():
        mean, std = (float(value) for value in pooled_moments(part))
        scale = 1 / std if std else float('inf')
        lines.append(f'{name:>7}{mean:>12.5g}{std:>12.5g}{scale:>12.5g}')
    return '\n'.join(lines)


def store(source: Path, target: Path, model: FirstStage) -> None:
    """Write the checkpoint with the model's scale and shift.

    A file that is overwritten keeps its time, by which the newest is found.
    """
    from mmldm.models.editors.frozen_first_stage import MEASURED
    from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint

    checkpoint = read_checkpoint(source)
    weights = checkpoint.get('state_dict', checkpoint)
    for name in MEASURED:
        weights[name] = model.state_dict()[name].cpu()
    stat = source.stat()
    target.parent.mkdir(parents=True, exist_ok=True)
    write_checkpoint(checkpoint, target)
    if target == source:
        os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def main() -> None:
    """Measure the latents and store the scale."""
    args = parse_args()
    source, target = check_args(args)
    from mmengine.dist import is_main_process

    from mmldm.apis.loaded_first_stage import loaded_first_stage
    from mmldm.engine.batch_sizes import take_single_images
    from mmldm.engine.latent_moments import latent_moments, set_scale

    cfg = load_config(args)
    cfg.load_from, cfg.resume = str(source), False
    if cfg.get('train_dataloader') is None:
        raise ValueError(
            f'{args.config} has no train_dataloader: set it to the images '
            'to encode'
        )
    take_single_images(cfg.train_dataloader)
    runner = build_runner(cfg)
    model = loaded_first_stage(runner, args.config)
    moments = latent_moments(runner, args.num_images, args.batch_size)
    set_scale(model.autoencoder, moments, args.per_channel)
    if is_main_process():
        print(f'Raw latents of {len(moments)} images:\n{table(moments)}')
        store(source, target, model)
        what = 'A scale and a shift a channel' if args.per_channel else 'Scale'
        print(f'{what} stored in {target}')


if __name__ == '__main__':
    run_tool(main)
