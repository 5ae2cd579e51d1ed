"""The output of a converter: a model file, and a config to inherit from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

from mmldm.converters.editors import REGULARIZATION, first_stage_editor
from mmldm.utils.checkpoint import read_checkpoint
from mmldm.utils.config_text import config_text
from mmldm.utils.model_file import read_model_file, write_model_file
from mmldm.utils.newest_checkpoint import newest_checkpoint
from mmldm.utils.shipped import FOLDER, PREFIX
from mmldm.utils.whole_files import written_whole

from .config_differences import differences
from .recipes import data_recipe, how_to_train
from .referenced_files import REFERENCE
from .untrusted_config import check_untrusted

BASE_DIR = FOLDER / 'configs/_base_'
MODEL_NAME = 'model.safetensors'
# A copy of the model file's config for people; no program reads it.
JSON_NAME = 'model.json'
CONFIG_NAME = 'config.py'
# The config that trains the first stage of a latent diffusion model further.
FIRST_STAGE_NAME = 'first_stage.py'
# Bases for schedule and runtime, by editor; those of model and data are added.
BASES = {
    'FirstStage': (
        'schedules/adam_fine-tune.py',
        'autoencoder_fine-tune_runtime.py',
    ),
    'LatentDiffusion': (
        'schedules/adamw_fine-tune.py',
        'ldm_fine-tune_runtime.py',
    ),
}


def weights_in(folder: Path) -> Path | None:
    """The weights file of a converted folder or a work directory.

    Raises:
        ValueError: If all checkpoints are cut off.
    """
    own = folder / MODEL_NAME
    return own if own.is_file() else newest_checkpoint(folder)


def content_of(checkpoint: str | Path) -> dict[str, Any]:
    """The content of a file, a converted folder, or a work directory."""
    path = Path(checkpoint)
    if path.is_dir():
        path = weights_in(path) or path
    if path.is_file() and path.suffix == '.safetensors':
        return read_model_file(path)[0]
    # Optimizers and other weights are not read.
    return read_checkpoint(path, mapped=True)


def write_converted(
    out_dir: str | Path,
    model: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    source: str,
) -> str:
    """Write ``model.safetensors``, ``model.json`` and ``config.py``.

    Beside the config of a latent diffusion model, ``first_stage.py`` trains
    the decoder of its first stage further.

    The model file is complete: it holds its own config, which ``model.json``
    shows to people. ``config.py`` trains the model further, beginning from its
    weights. It inherits from the most similar base that comes with mmldm, and
    states the differences as literals. All files name each other and a
    tokenizer in ``out_dir`` by name, so that ``out_dir`` can be moved.

    Args:
        out_dir: Folder of the three files; it is created if missing.
        model: Config of the editor.
        weights: All weights of the editor, name to tensor.
        source: Origin of the model, for the config's first line.

    Returns:
        A sentence on how the model is trained further.

    Raises:
        ValueError: If the model is not an editor of mmldm, or its config has
            an argument of a wrong type; nothing is written.
    """
    check_untrusted(model, source)
    size = model.get('image_size')
    texts = {CONFIG_NAME: _config_text(model, source, size)}
    if (first_stage := _first_stage(model)) is not None:
        texts[FIRST_STAGE_NAME] = _config_text(first_stage, source, size)
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    write_model_file(out_dir / MODEL_NAME, weights, dict(model))
    readable = json.dumps(dict(model), indent=2) + '\n'
    for name, content in {JSON_NAME: readable, **texts}.items():
        with written_whole(out_dir / name) as file:
            file.write(content.encode())
    return how_to_train(model, str(out_dir / CONFIG_NAME))


def _config_text(
    model: Mapping[str, Any], source: str, size: Any = None
) -> str:
    """A config that trains a model further.

    Args:
        model: Config of an editor.
        source: See :func:`write_converted`.
        size: Size of the training images; None for that of the base.
    """
    base, changes = _nearest_base(model)
    data, content = data_recipe(model, size)
    names = [base, *[data] * (data is not None), *BASES[model['type']]]
    bases = [f'{PREFIX}_base_/{name}' for name in names]
    # A name without a folder is that of a file beside the config.
    content = dict(model=changes, load_from=MODEL_NAME, **content)
    return config_text(
        dict(_base_=bases, **content), f'Converted from {source}.'
    )


def _first_stage(model: Mapping[str, Any]) -> dict[str, Any] | None:
    """The editor that trains the decoder of a model's first stage further.

    None if the model has no first stage with weights.
    """
    autoencoder = model.get('autoencoder') or {}
    if model['type'] == 'FirstStage' or (
        autoencoder.get('type') not in REGULARIZATION
    ):
        return None
    return dict(first_stage_editor(autoencoder), trained='decoder')


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
