"""Convert a model of the original latent diffusion code.

    python tools/model_converters/compvis_to_mmldm.py \\
        MODEL.yaml MODEL.ckpt OUT_DIR
    python tools/model_converters/compvis_to_mmldm.py FILE OUT_DIR

First stages and latent diffusion models are converted, published ones and your
own. FILE is a first stage alone, or Stable Diffusion 1 or 2: these need no
yaml file, as the names and shapes of their weights show how they are built.
OUT_DIR gets model.safetensors, from which mmldm.apis.init_model builds the
model without any other file; model.json, a readable copy of its config; and
config.py, to train, test and change the model.

Nothing in MODEL.ckpt is executed. Every tensor in it is used, or listed in
OUT_DIR/left_out.txt with the reason why it is not needed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmldm.apis import run_tool
from mmldm.utils.files import check_file, check_folder_to_write
from mmldm.utils.weight_choices import WEIGHT_CHOICES
from mmldm.utils.yaml_file import read_yaml

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from torch import Tensor

    from mmldm.converters import Converted


WEIGHTS = ('.ckpt', '.pth', '.pt', '.safetensors', '.bin')


def add_flags_of_files_alone(parser: argparse.ArgumentParser) -> None:
    """Flags about weights that no yaml file describes."""
    parser.add_argument(
        '--only-first-stage',
        action='store_true',
        help='convert only the first stage of a whole model, such as that of '
        'Stable Diffusion XL',
    )
    parser.add_argument(
        '--prediction',
        choices=('eps', 'v'),
        help='what Stable Diffusion 2 without a yaml file predicts: v in '
        'models of 768 pixels, eps in the base models of 512 pixels',
    )
    parser.add_argument(
        '--ignore',
        action='append',
        default=[],
        metavar='NAME',
        help='leave out weights whose names begin so; may be given again',
    )


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'yaml',
        nargs='?',
        help='config file of the original code; not needed for Stable '
        'Diffusion 1 and 2, and for a first stage alone',
    )
    parser.add_argument(
        'checkpoint', help='its weights: .ckpt, .pth or .safetensors'
    )
    parser.add_argument(
        'out_dir', help='folder for model.safetensors and config.py'
    )
    parser.add_argument(
        '--weights',
        choices=WEIGHT_CHOICES,
        help='the running average, or the weights in training (default: the '
        'average, if there is one)',
    )
    parser.add_argument(
        '--first-stage',
        metavar='FILE',
        help='checkpoint of the first stage, for a diffusion model that was '
        'stored without it, or to replace it by one of the same config',
    )
    add_flags_of_files_alone(parser)
    args = parser.parse_args()
    if args.yaml is not None and (args.prediction or args.only_first_stage):
        parser.error(
            '--prediction and --only-first-stage are for files without a '
            'yaml file: leave the yaml file out'
        )
    return args


def read_model(path: str) -> dict[str, Any]:
    """The value of ``model`` in a yaml file of the original code.

    Raises:
        FileNotFoundError, ValueError: If the file or the model is missing.
    """
    if path.endswith(WEIGHTS):
        raise ValueError(
            f'{path} is no yaml file but weights: give the yaml file first, '
            'then the weights; Stable Diffusion 1 and 2, and a first stage '
            'alone, need no yaml file'
        )
    content = read_yaml(path)
    model = content.get('model') if isinstance(content, dict) else None
    if not isinstance(model, dict):
        raise ValueError(
            f'{path} has no model: give a config file of the original code, '
            'with model.target and model.params'
        )
    for key, value in _entries(model, 'model'):
        if isinstance(value, str) and '${' in value:
            raise ValueError(
                f'{path}: {key} is {value!r}, a reference to another value: '
                'write the value itself'
            )
    return model


def checked_model(path: str) -> dict[str, Any]:
    """As :func:`read_model`, of a model that can be converted."""
    from mmldm.converters import model_config

    model = read_model(path)
    try:
        model_config(model)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    return model


def _entries(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """(dotted path, value) for all values below a dict or list."""
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, list):
        items = enumerate(node)
    else:
        return
    for key, value in items:
        below = f'{path}.{key}'
        yield below, value
        yield from _entries(value, below)


def report(out_dir: str, converted: Converted) -> None:
    """Print and write which weights were used and left out."""
    lines = []
    for reason, names in converted.left_out.items():
        print(f'Left out {len(names)} tensors ({names[0]} ...): {reason}')
        lines += [f'# {reason}', *names, '']
    Path(out_dir, 'left_out.txt').write_text('\n'.join(lines))
    weights = converted.weights.values()
    count = sum(weight.numel() for weight in weights)
    print(
        f'{converted.config["type"]} with {len(weights)} tensors, '
        f'{count / 1e6:.3f} M numbers, in {out_dir}'
    )


def read_weights(args: argparse.Namespace) -> dict[str, Tensor]:
    """The weights of the files, without those that are to be ignored."""
    from mmldm.converters import (
        first_stage_part,
        read_compvis_checkpoint,
        with_first_stage,
    )

    weights = read_compvis_checkpoint(args.checkpoint)
    ignored = [n for n in weights if n.startswith(tuple(args.ignore))]
    if ignored:
        print(f'Ignored {len(ignored)} tensors: {ignored[0]} ...')
    weights = {n: w for n, w in weights.items() if n not in ignored}
    if args.first_stage is not None:
        first_stage = read_compvis_checkpoint(args.first_stage)
        weights = with_first_stage(weights, first_stage)
    return first_stage_part(weights) if args.only_first_stage else weights


def main() -> None:
    """Convert the model."""
    args = parse_args()
    from mmldm.apis import write_converted
    from mmldm.converters import convert_compvis, recognised

    check_file('checkpoint', args.checkpoint)
    if args.first_stage is not None:
        check_file('--first-stage', args.first_stage)
    check_folder_to_write('OUT_DIR', args.out_dir)
    # Checked before the weights are read for minutes.
    model = None if args.yaml is None else checked_model(args.yaml)
    weights = read_weights(args)
    try:
        if model is None:
            model, weights = recognised(weights, args.prediction)
        converted = convert_compvis(model, weights, args.weights)
    except ValueError as error:
        raise ValueError(f'{args.checkpoint}: {error}') from error
    files = filter(None, (args.yaml, args.checkpoint))
    source = ' and '.join(Path(file).name for file in files)
    training = write_converted(
        args.out_dir, converted.config, converted.weights, source
    )
    report(args.out_dir, converted)
    print(training)


if __name__ == '__main__':
    run_tool(main)
