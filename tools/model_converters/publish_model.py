"""Write a model for other users: one file that init_model reads.

    python tools/model_converters/publish_model.py \\
        work_dirs/NAME/iter_600.pth OUT [--weights ema|raw]

The result, OUT-DIGITS.safetensors, has the weights that generation needs,
including the first stage's, and their config, but no optimizer and no losses.
DIGITS are the first eight digits of the file's SHA-256, which readers verify.

    from mmldm.apis import init_model
    model = init_model('OUT-DIGITS.safetensors')
"""

import argparse

from mmldm.apis import run_tool
from mmldm.utils.weight_choices import WEIGHT_CHOICES


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'checkpoint',
        help='training checkpoint, work directory (for its newest one), model '
        'file, or the folder of a converter',
    )
    parser.add_argument('out', help='name of the result, or path and name')
    parser.add_argument(
        '--weights',
        choices=WEIGHT_CHOICES,
        help='the running average, or the weights in training (default: the '
        'average, if there is one)',
    )
    parser.add_argument(
        '--config',
        help='config file (default: the config that the checkpoint holds)',
    )
    parser.add_argument(
        '--without-first-stage',
        action='store_true',
        help='omit a first stage that has a file of its own; users must put '
        'this file beside the result, and its hash is verified',
    )
    parser.add_argument(
        '--adapter',
        nargs='+',
        default=[],
        help='adapters to merge into the weights: files, or work '
        'directories of their training; FILE:0.5 takes half of one. The '
        'adapter that a model was trained with is merged in any case',
    )
    return parser.parse_args()


def main() -> None:
    """Publish the model."""
    args = parse_args()
    # Not above: --help does not wait for torch.
    from mmldm.apis import publish_model

    path = publish_model(
        args.checkpoint,
        args.out,
        args.weights,
        args.config,
        not args.without_first_stage,
        args.adapter,
    )
    print(f'{path} was written, {path.stat().st_size / 2**20:.1f} MB')


if __name__ == '__main__':
    run_tool(main)
