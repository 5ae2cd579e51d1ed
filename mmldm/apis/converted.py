"""What a converter leaves behind: a config to go on from, and a model file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

from mmldm.utils.checkpoint import written_whole
from mmldm.utils.model_file import write_model_file
from mmldm.utils.shipped import FOLDER, PREFIX

from .config_writer import config_text, differences

BASE_DIR = FOLDER / 'configs/_base_'
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

    The config inherits from the nearest base that comes with mmldm, by its
    name, and states its differences; the model file needs no config, it
    holds its own. ``out_dir`` can be moved, with a tokenizer's folder in it.

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
    model = with_tokenizers(model, lambda name: _beside_config(out_dir, name))
    base, changes = _nearest_base(model)
    names = [base, *BASES[model['type']]]
    content: dict[str, Any] = dict(model=changes)
    if (requests := _requests(model)) is not None:
        names.append(REQUESTS)
        content |= requests
    bases = [f'{PREFIX}_base_/{name}' for name in names]
    text = config_text(dict(_base_=bases, **content))
    return f'"""Converted from {source}."""\n\n{text}'


def _beside_config(out_dir: Path, name: str) -> str:
    """A folder beside the config, as mmengine finds it."""
    beside = (
        name and (out_dir / name).is_dir() and not Path(name).is_absolute()
    )
    return f'{{{{ fileDirname }}}}/{name}' if beside else name


def with_tokenizers(
    model: Mapping[str, Any], change: Callable[[str], str]
) -> dict[str, Any]:
    """A model's config, the folders or names of its tokenizers changed."""
    conditioner = model.get('conditioner')
    if not isinstance(conditioner, Mapping):
        return dict(model)
    embedders = [
        _with_tokenizer(embedder, change)
        for embedder in conditioner.get('embedders') or ()
    ]
    if not embedders:
        return dict(model)
    return {**model, 'conditioner': {**conditioner, 'embedders': embedders}}


def _with_tokenizer(embedder: Any, change: Callable[[str], str]) -> Any:
    """An embedder's config, or a tokenizer's."""
    if not isinstance(embedder, Mapping):
        return embedder
    tokenizer = embedder.get('tokenizer')
    if isinstance(tokenizer, str):
        return {**embedder, 'tokenizer': change(tokenizer)}
    pretrained = tokenizer.get('pretrained') if tokenizer else None
    if isinstance(pretrained, str):
        tokenizer = {**tokenizer, 'pretrained': change(pretrained)}
        return {**embedder, 'tokenizer': tokenizer}
    return embedder


def _nearest_base(model: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The base of the same editor from which least differs, and what does."""
    found = []
    for path in sorted(BASE_DIR.glob('models/*.py')):
        base = Config.fromfile(path).model.to_dict()
        if base['type'] == model['type']:
            changes = differences(model, base)
            found.append((len(str(changes)), f'models/{path.name}', changes))
    _, name, changes = min(found)
    return name, changes


def _requests(model: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a test draws that needs no data; None where conditions do."""
    if model['type'] != 'LatentDiffusion':
        return None
    size = dict(train_dataloader=dict(dataset=dict(size=model['image_size'])))
    embedders = model['conditioner'].get('embedders', [])
    if not embedders:
        return size
    if [embedder['type'] for embedder in embedders] != ['ClassEmbedder']:
        return None
    num_classes = embedders[0]['num_classes'] - (
        embedders[0].get('null') == 'last'
    )
    classes = dict(dataset=dict(num_classes=num_classes))
    return {**size, 'val_dataloader': classes, 'test_dataloader': classes}
