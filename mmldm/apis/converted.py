"""The output of a converter: a model file, and a config to inherit from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

from mmldm.utils.checkpoint import written_whole
from mmldm.utils.config_text import config_text
from mmldm.utils.model_file import write_model_file
from mmldm.utils.newest_checkpoint import newest_checkpoint
from mmldm.utils.shipped import FOLDER, PREFIX

from .config_differences import differences
from .referenced_files import REFERENCE
from .untrusted_config import check_untrusted

BASE_DIR = FOLDER / 'configs/_base_'
MODEL_NAME = 'model.safetensors'
# A copy of the model file's config for people; no program reads it.
JSON_NAME = 'model.json'
CONFIG_NAME = 'config.py'
# Bases for data, schedule and runtime, by editor; the model's base is added.
BASES = {
    'FirstStage': (
        'datasets/image-folder.py',
        'schedules/adam_autoencoder.py',
        'default_runtime.py',
    ),
    'LatentDiffusion': ('schedules/adamw.py', 'ldm_runtime.py'),
}
REQUESTS = 'datasets/image-folder-requests.py'


def weights_in(folder: Path) -> Path | None:
    """The weights file of a converted folder or a work directory.

    Raises:
        ValueError: If all checkpoints are cut off.
    """
    own = folder / MODEL_NAME
    return own if own.is_file() else newest_checkpoint(folder)


def write_converted(
    out_dir: str | Path,
    model: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    source: str,
) -> None:
    """Write ``model.safetensors``, ``model.json`` and ``config.py``.

    The model file is complete: it holds its own config, which ``model.json``
    shows to people. ``config.py`` inherits from the most similar base that
    comes with mmldm, and states the differences as literals. All three name
    a tokenizer in ``out_dir`` by its folder's name, so that ``out_dir`` can
    be moved.

    Args:
        out_dir: Folder of the three files; it is created if missing.
        model: Config of the editor.
        weights: All weights of the editor, name to tensor.
        source: Origin of the model, for the config's first line.

    Raises:
        ValueError: If the model is not an editor of mmldm, or its config has
            an argument of a wrong type; nothing is written.
    """
    check_untrusted(model, source)
    text = _config_text(Path(out_dir), model, source)
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    write_model_file(out_dir / MODEL_NAME, weights, dict(model))
    readable = json.dumps(dict(model), indent=2) + '\n'
    for name, content in ((JSON_NAME, readable), (CONFIG_NAME, text)):
        with written_whole(out_dir / name) as file:
            file.write(content.encode())


def _config_text(out_dir: Path, model: Mapping[str, Any], source: str) -> str:
    base, changes = _nearest_base(model)
    names = [base, *BASES[model['type']]]
    content: dict[str, Any] = dict(model=changes)
    if (requests := _requests(model)) is not None:
        names.append(REQUESTS)
        content |= requests
    bases = [f'{PREFIX}_base_/{name}' for name in names]
    return config_text(
        dict(_base_=bases, **content), f'Converted from {source}.'
    )


def _nearest_base(model: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The base of the same editor with the fewest differences, and these."""
    found = []
    for path in sorted(BASE_DIR.glob('models/*.py')):
        base = Config.fromfile(path).model.to_dict()
        if base['type'] == model['type']:
            # The model file contains the first stage.
            none = {REFERENCE: None} if REFERENCE in base else {}
            changes = differences({**none, **model}, base)
            found.append((len(str(changes)), f'models/{path.name}', changes))
    _, name, changes = min(found)
    return name, changes


def _requests(model: Mapping[str, Any]) -> dict[str, Any] | None:
    """Requests for a test without data; None if the conditions need data."""
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
