"""Encode a training's images once, for trainings that do not encode.

    python tools/cache_latents.py CONFIG OUT
    python tools/launch.py GPUS tools/cache_latents.py CONFIG OUT \\
        --launcher pytorch
    python tools/train.py CONFIG --cfg-options latent_cache=OUT

CONFIG is that of a latent diffusion model. OUT receives the mean and the
log-variance of each image's latent, also of the mirrored image if the pipeline
mirrors at random, and its conditions. With latent_cache=OUT, a training has
the losses of a training from the images, but for rounding. An interrupted
call goes on. A cache of another first stage, or of other data, is refused;
files that change later are not noticed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import Config
from tqdm import tqdm

from mmldm.apis import build_runner, load_config, run_tool, tool_parser
from mmldm.utils import check_count
from mmldm.utils.files import check_folder_to_write

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from mmengine.runner import Runner

TYPES = ('float32', 'float16', 'bfloat16')


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = tool_parser(__doc__)
    parser.add_argument('out', help='folder of the cache')
    parser.add_argument(
        '--batch-size',
        type=int,
        default=32,
        help='images to encode at a time (default: 32)',
    )
    parser.add_argument(
        '--dtype',
        choices=TYPES,
        default='float32',
        help='type in which latents are stored; float16 takes half the space '
        'and rounds to three digits (default: float32)',
    )
    return parser.parse_args()


def main() -> None:
    """Make the cache."""
    args = parse_args()
    check_count('--batch-size', args.batch_size)
    check_folder_to_write('out', args.out)
    cfg = load_config(args)
    if cfg.get('train_dataloader') is None:
        raise ValueError(
            f'{args.config} has no train_dataloader: set it to the images '
            'to encode'
        )
    import torch
    from mmengine.dist import get_world_size, is_main_process

    from mmldm.apis.latent_caching import cache_latents

    runner = ready_runner(cfg, args.config)
    dtype = getattr(torch, args.dtype)
    dataset = runner.train_dataloader.dataset
    samples = getattr(dataset, 'samples_per_entry', 1) * get_world_size()
    count = len(dataset) // samples
    with tqdm(total=count, unit='image', disable=not is_main_process()) as bar:
        count = cache_latents(
            runner, Path(args.out), args.batch_size, dtype, bar.update
        )
    if is_main_process():
        print(f'{count} images cached in {args.out}')


def ready_runner(cfg: Config, source: str) -> Runner:
    """A runner whose model encodes single images.

    Args:
        cfg: The config of a training.
        source: Its file, for messages.

    Raises:
        ValueError: If the model does not train on latents, or has no weights.
    """
    from mmldm.engine.batch_sizes import take_single_images
    from mmldm.engine.frozen_parts import check_frozen_parts
    from mmldm.models.editors import LatentDiffusion

    cfg.latent_cache = None
    take_single_images(cfg.train_dataloader)
    runner = build_runner(cfg)
    if not isinstance(runner.bare_model, LatentDiffusion):
        raise ValueError(
            f'{source} has a {type(runner.bare_model).__name__}, '
            'expected a LatentDiffusion: give the config of a model that '
            'trains on latents'
        )
    if runner._load_from is None:
        check_frozen_parts(runner.bare_model)
    else:
        runner.load_checkpoint(runner._load_from)
    runner.bare_model.eval()
    return runner


if __name__ == '__main__':
    run_tool(main)
