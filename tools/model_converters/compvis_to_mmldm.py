"""Convert a model of the original latent diffusion code.

    python tools/model_converters/compvis_to_mmldm.py \\
        MODEL.yaml MODEL.ckpt OUT_DIR
    python tools/model_converters/compvis_to_mmldm.py VAE.safetensors OUT_DIR

First stages and latent diffusion models are converted, published ones and your
own. OUT_DIR gets model.safetensors, from which mmldm.apis.init_model builds
the model without any other file; model.json, a readable copy of its config;
and config.py, to train, test and change the model. A first stage that was
passed on alone needs no yaml file: its weights show how it is built.

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
    from mmldm.converters import Converted


WEIGHTS = ('.ckpt', '.pth', '.pt', '.safetensors', '.bin')


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'yaml',
        nargs='?',
        help='config file of the original code; not needed for the weights '
        'of a first stage alone',
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
    return parser.parse_args()


def read_model(path: str) -> dict[str, Any]:
    """The value of ``model`` in a yaml file of the original code.

    Raises:
        FileNotFoundError, ValueError: If the file or the model is missing.
    """
    if path.endswith(WEIGHTS):
        raise ValueError(
            f'{path} is no yaml file but weights: give the yaml file first, '
            'then the weights; a first stage alone needs no yaml file'
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


def main() -> None:
    """Convert the model."""
    args = parse_args()
    from mmldm.apis import write_converted
    from mmldm.converters import (
        convert_compvis,
        first_stage_of,
        read_compvis_checkpoint,
        with_first_stage,
    )

    check_file('checkpoint', args.checkpoint)
    if args.first_stage is not None:
        check_file('--first-stage', args.first_stage)
    check_folder_to_write('OUT_DIR', args.out_dir)
    # Checked before the weights are read for minutes.
    model = None if args.yaml is None else checked_model(args.yaml)
    weights = read_compvis_checkpoint(args.checkpoint)
    if args.first_stage is not None:
        first_stage = read_compvis_checkpoint(args.first_stage)
        weights = with_first_stage(weights, first_stage)
    try:
        model = model or first_stage_of(weights)
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
