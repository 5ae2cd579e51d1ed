"""Evaluate a model, or only let it generate images.

    python tools/test.py CONFIG CHECKPOINT
    bash tools/dist_test.sh CONFIG CHECKPOINT GPUS

A latent diffusion model generates the images that test_dataloader requests,
and a first stage reconstructs the images of test_dataloader. The metrics of
test_evaluator are printed and written to metrics.json, and beside it to
metrics_protocol.json with all that they depend on: weights, sampling, data,
feature networks, versions and machine. A test that was interrupted goes on
if the same command is given again: each generated image is kept in a file of
the work directory, or of --show-dir, until the metrics are written.
tools/analysis_tools/compare_results.py lays several of them beside each other.
"""

import argparse
import json
from inspect import signature
from pathlib import Path

from mmengine.config import Config

from mmldm.apis import build_runner, load_config, run_tool, tool_parser
from mmldm.apis.referenced_files import locate_files
from mmldm.utils.files import (
    check_checkpoint,
    check_file_to_write,
    check_folder_to_write,
)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        'checkpoint',
        help='checkpoint file, or a work directory, for its newest one',
    )
    parser.add_argument(
        '--out',
        metavar='FILE.json',
        help='file for the metrics (default: metrics.json in the work '
        'directory)',
    )
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='write grid.png to this directory, and every image to its '
        'folder images',
    )
    parser.add_argument(
        '--npz',
        metavar='FILE.npz',
        help='write all generated images, and labels, to this file, in the '
        "form of OpenAI's evaluation",
    )
    return parser.parse_args()


def apply_flags(cfg: Config, args: argparse.Namespace) -> None:
    """Write the flags of testing into the config."""
    check_checkpoint('checkpoint', args.checkpoint)
    cfg.load_from = args.checkpoint
    cfg.resume = False
    # Processes test different images, each with all weights.
    cfg.model_wrapper_cfg = None
    locate_files(cfg.get('model') or {}, args.checkpoint)
    if cfg.get('test_dataloader') is None:
        raise ValueError(
            f'{args.config} has no test_dataloader: inherit one of '
            'configs/_base_/datasets/'
        )
    dataset = cfg.test_dataloader.dataset
    if args.seed is not None and takes_seed(dataset.type):
        dataset.seed = args.seed
    if args.show_dir is not None:
        check_folder_to_write('--show-dir', args.show_dir)
        if 'visualization' not in (cfg.get('default_hooks') or {}):
            raise ValueError(
                '--show-dir needs ImageGridHook: set default_hooks='
                "dict(visualization=dict(type='ImageGridHook'))"
            )
        cfg.merge_from_dict(
            {'default_hooks.visualization.show_dir': args.show_dir}
        )
    if args.npz is not None:
        cfg.merge_from_dict({'test_cfg.npz': args.npz})


def takes_seed(dataset: str) -> bool:
    """Whether data sets of this type have a seed."""
    from mmldm.registry import DATASETS

    cls = DATASETS.get(dataset) if isinstance(dataset, str) else dataset
    return 'seed' in signature(cls.__init__).parameters


def by_channel(metrics: dict[str, float]) -> dict[str, float | list[float]]:
    """The metrics, with ``latent/mean_0``, ``_1`` ... as one list."""
    gathered = {}
    for name, value in metrics.items():
        stem, _, channel = name.rpartition('_')
        if name.startswith('latent/') and channel.isdigit():
            gathered.setdefault(stem, []).append(value)
        else:
            gathered[name] = value
    return gathered


def write_json(path: Path, content: dict) -> None:
    """Write a file for programs and people."""
    from mmldm.utils.whole_files import written_whole

    text = json.dumps(content, indent=2, default=str) + '\n'
    with written_whole(path) as file:
        file.write(text.encode())


def main() -> None:
    """Test the model."""
    args = parse_args()
    from mmengine.dist import is_main_process

    from mmldm.apis.config.memory import check_batch_memory
    from mmldm.apis.protocol import protocol_of_test

    cfg = load_config(args)
    apply_flags(cfg, args)
    check_batch_memory(cfg, 'test')
    for flag in ('out', 'npz'):
        if getattr(args, flag) is not None:
            check_file_to_write(f'--{flag}', getattr(args, flag))
    runner = build_runner(cfg)
    metrics = by_channel(runner.test())
    if is_main_process():
        path = Path(args.out or Path(cfg.work_dir, 'metrics.json'))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, metrics)
        protocol = protocol_of_test(runner, args.checkpoint)
        beside = path.with_name(f'{path.stem}_protocol.json')
        write_json(beside, dict(metrics=metrics, protocol=protocol))
        # Now no interruption can lose the images' numbers.
        if hasattr(runner.test_loop, 'forget_images'):
            runner.test_loop.forget_images()


if __name__ == '__main__':
    run_tool(main)
