"""What a converter leaves behind: a config to go on from, and a model file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

import mmldm
from mmldm.utils.checkpoint import written_whole
from mmldm.utils.model_file import write_model_file

BASE_DIR = Path(mmldm.__file__).resolve().parents[1] / 'configs/_base_'
CONFIG_NAME, MODEL_NAME = 'config.py', 'model.safetensors'
# Besides the model's: what reads images, trains and runs, by editor.
BASES = {
    'FirstStage': (
        'datasets/image-folder.py',
        'schedules/adam_autoencoder.py',
        'default_runtime.py',
    ),
    'LatentDiffusion': ('schedules/adamw.py', 'default_runtime.py'),
}
REQUESTS = 'datasets/image-folder-requests.py'


def write_converted(
    out_dir: str | Path,
    model: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    source: str,
) -> None:
    """Write ``config.py`` and ``model.safetensors``.

    The config inherits from the nearest base in ``configs/`` and states its
    differences; the model file needs no config, it holds its own.

    Args:
        out_dir: Made where it is missing.
        model: Config of the editor.
        weights: All that it loads.
        source: What it was converted from, for the config's first line.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    write_model_file(out_dir / MODEL_NAME, weights, dict(model))
    with written_whole(out_dir / CONFIG_NAME) as file:
        file.write(_config_text(out_dir, model, source).encode())


def _config_text(out_dir: Path, model: Mapping[str, Any], source: str) -> str:
    bases, content = _bases(model)
    paths = [os.path.relpath(path, out_dir.resolve()) for path in bases]
    text = Config(dict(_base_=paths, **content)).pretty_text
    return f'"""Converted from {source}."""\n\n{text}'


def _bases(model: Mapping[str, Any]) -> tuple[list[Path], dict[str, Any]]:
    """What the config inherits, and what it states itself."""
    base, changes = _nearest_base(model)
    names = list(BASES[model['type']])
    content: dict[str, Any] = dict(model=changes)
    if _draws_unasked(model):
        names.append(REQUESTS)
        size = model['image_size']
        content['train_dataloader'] = dict(dataset=dict(size=size))
    return [base, *(BASE_DIR / name for name in names)], content


def _draws_unasked(model: Mapping[str, Any]) -> bool:
    """Whether images are drawn that nobody described."""
    conditioner = model.get('conditioner', {})
    return model['type'] == 'LatentDiffusion' and not conditioner.get(
        'embedders'
    )


def _nearest_base(model: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The base of the same editor from which least differs, and what does."""
    found = []
    for path in sorted(BASE_DIR.glob('models/*.py')):
        base = Config.fromfile(path).model.to_dict()
        if base['type'] == model['type']:
            changes = differences(model, base)
            found.append((len(str(changes)), path, changes))
    _, path, changes = min(found)
    return path, changes


def differences(
    config: Mapping[str, Any], base: Mapping[str, Any]
) -> dict[str, Any]:
    """What a child config states so that ``base`` becomes ``config``.

    A dict that lacks a key of the base's, or has another ``type``, is stated
    whole, with ``_delete_``.
    """
    if base.keys() - config.keys() or base.get('type') != config.get('type'):
        return {**config, '_delete_': True}
    changes = {}
    for key, value in config.items():
        if key not in base or (value != base[key]):
            nested = isinstance(value, Mapping) and isinstance(
                base.get(key), Mapping
            )
            changes[key] = differences(value, base[key]) if nested else value
    return changes
