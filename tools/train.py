"""Train a model.

    python tools/train.py CONFIG
    bash tools/dist_train.sh CONFIG GPUS

CONFIG defines the training. work_dirs/NAME_OF_THE_CONFIG gets the log, the
checkpoints and pictures; for the config.py of a converted model, the name is
that of its folder. docs/en/get_started.md has examples.
"""

import argparse

from mmengine.config import Config

from mmldm.apis import build_runner, load_config, run_tool, tool_parser
from mmldm.utils.files import check_checkpoint


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='PATH',
        help='continue exactly from a checkpoint: the newest of the work '
        'directory, or PATH',
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='bfloat16',
        choices=['float16', 'bfloat16'],
        help='use mixed precision (default type: bfloat16), on a CPU too',
    )
    parser.add_argument(
        '--compile',
        action='store_true',
        help='compile the networks by torch.compile',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the batch size of all processes '
        'over auto_scale_lr.base_batch_size',
    )
    return parser.parse_args()


def apply_flags(cfg: Config, args: argparse.Namespace) -> None:
    """Write the flags of training into the config."""
    from mmldm.utils.newest_checkpoint import checkpoints

    if args.resume == 'auto':
        # A run that started with load_from resumes its own checkpoints.
        own = bool(checkpoints(cfg.work_dir))
        if own:
            cfg.load_from = None  # the runner takes the newest
        cfg.resume = own or cfg.get('load_from') is None
    elif args.resume is not None:
        check_checkpoint('--resume', args.resume)
        cfg.resume, cfg.load_from = True, args.resume
    if cfg.get('optim_wrapper') is None:
        raise ValueError(
            f'{args.config} has no optim_wrapper: set train_dataloader, '
            'train_cfg and optim_wrapper'
        )
    if cfg.get('train_dataloader') is None:
        raise ValueError(
            f'{args.config} has no train_dataloader: inherit one of '
            'configs/_base_/datasets/, or write one that gives the conditions '
            'of the model (docs/en/data.md)'
        )
    if args.amp is not None:
        use_amp(cfg.optim_wrapper, args.amp)
    if args.compile:
        cfg.compile = cfg.get('compile') or True
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ValueError(
                '--auto-scale-lr needs auto_scale_lr.base_batch_size: set it '
                'to the batch size that the learning rate is for'
            )
        cfg.auto_scale_lr.enable = True


def use_amp(
    optim_wrapper: dict, dtype: str, path: str = 'optim_wrapper'
) -> None:
    """Change an optimizer wrapper's config to mixed precision.

    If it has several optimizers, all of them are changed.
    """
    if 'optimizer' not in optim_wrapper:
        for name, part in optim_wrapper.items():
            if isinstance(part, dict):
                use_amp(part, dtype, f'{path}.{name}')
        return
    kind = optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AutocastOptimWrapper'):
        raise ValueError(
            f'--amp replaces OptimWrapper, but '
            f'{path}.type is {kind}: set its precision '
            'in the config'
        )
    optim_wrapper.type = 'AutocastOptimWrapper'
    optim_wrapper.dtype = dtype


def main() -> None:
    """Train the model."""
    args = parse_args()
    from mmldm.apis.config.memory import check_batch_memory

    cfg = load_config(args)
    apply_flags(cfg, args)
    check_batch_memory(cfg, 'train', 'val')
    build_runner(cfg).train()


if __name__ == '__main__':
    run_tool(main)
