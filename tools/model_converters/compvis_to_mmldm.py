"""Convert a first stage of the original latent diffusion code.

    python tools/model_converters/compvis_to_mmldm.py \\
        MODEL.yaml MODEL.ckpt OUT_DIR
    python tools/test.py OUT_DIR/config.py OUT_DIR/model.safetensors \\
        --cfg-options test_dataloader.dataset.data_root=FOLDER

The first writes OUT_DIR/config.py, which needs no other file, and
OUT_DIR/model.safetensors; the second judges reconstructions of the images in
FOLDER.
"""

import argparse
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config
from safetensors.torch import save
from torch import Tensor

from mmldm.apis import run_tool
from mmldm.converters import (
    first_stage_config,
    first_stage_weights,
    left_out,
)
from mmldm.utils.checkpoint import (
    read_checkpoint,
    weights_of,
    written_whole,
)

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
BASES = (
    'datasets/image-folder.py',
    'schedules/adam_autoencoder.py',
    'default_runtime.py',
)
# Of the paper's losses; see FirstStage.
REGULARIZATION = {'AutoencoderKL': 1e-6, 'AutoencoderVQ': 1.0}


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('yaml', help='config file of the original')
    parser.add_argument(
        'checkpoint', help='its weights: .ckpt, .pth or .safetensors'
    )
    parser.add_argument(
        'out_dir', help='where config.py and model.safetensors are written'
    )
    return parser.parse_args()


def read_model(path: str) -> dict[str, Any]:
    """What a yaml file of the original says under ``model``.

    Raises:
        ValueError: If it says nothing.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
    except yaml.YAMLError as error:
        raise ValueError(f'{path} is no yaml file: {error}') from error
    model = content.get('model') if isinstance(content, dict) else None
    if not isinstance(model, dict):
        raise ValueError(
            f'{path} has no model: give the config file of a model of the '
            'original, with model.target and model.params'
        )
    return model


def model_config(path: str) -> dict[str, Any]:
    """Our config of the model that a yaml file describes.

    Raises:
        ValueError: If it has no weights, or :func:`first_stage_config`
            cannot express it.
    """
    model = read_model(path)
    try:
        autoencoder = first_stage_config(model)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    kind = autoencoder['type']
    if kind not in REGULARIZATION:
        raise ValueError(
            f'{path} describes a first stage without weights: write '
            f"autoencoder=dict(type='{kind}') in a config instead"
        )
    return dict(
        type='FirstStage',
        autoencoder=autoencoder,
        regularization_weight=REGULARIZATION[kind],
    )


def config_text(model: dict[str, Any], source: str) -> str:
    """A config that inherits from no other, so that it may lie anywhere."""
    content = {}
    for base in BASES:
        content |= Config.fromfile(CONFIGS / '_base_' / base).to_dict()
    text = Config({'model': model, **content}).pretty_text
    return f'# Converted from {source}.\n{text}'


def report(weights: dict[str, Tensor], read: dict[str, Any]) -> None:
    """Say what became of the weights."""
    count = sum(weight.numel() for weight in weights.values())
    print(f'{len(weights)} tensors with {count / 1e6:.3f} M numbers')
    for reason, names in left_out(read).items():
        print(f'left out {len(names)} tensors, {names[0]} ...: {reason}')


def main() -> None:
    """Convert."""
    args = parse_args()
    model = model_config(args.yaml)
    read = weights_of(read_checkpoint(args.checkpoint))
    try:
        converted = first_stage_weights(read, model['autoencoder'])
    except ValueError as error:
        raise ValueError(f'{args.checkpoint}: {error}') from error
    weights = {f'autoencoder.{n}': w for n, w in converted.items()}
    out_dir = Path(args.out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    text = config_text(model, Path(args.yaml).name)
    with written_whole(out_dir / 'model.safetensors') as file:
        file.write(save(weights))
    with written_whole(out_dir / 'config.py') as file:
        file.write(text.encode())
    report(weights, read)
    print(f'{out_dir}/config.py and {out_dir}/model.safetensors are written')


if __name__ == '__main__':
    run_tool(main)
