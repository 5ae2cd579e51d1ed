"""The model that an adapter is trained on."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

from mmldm.models.editors.adapted import HASH
from mmldm.utils.model_file import read_model_file

from .converted import weights_in

KEY = 'base'


def take_adapter_base(cfg: Config) -> None:
    """Complete ``model.adapter.base``, in place.

    A training with an adapter that names no base adapts the model of
    ``load_from``. A folder is replaced by its weights file.

    Args:
        cfg: A whole config; it is left unchanged without an adapter.
    """
    model = cfg.get('model')
    adapter = model.get('adapter') if isinstance(model, dict) else None
    if not isinstance(adapter, dict):
        return
    if adapter.get(KEY) is None and not cfg.get('resume'):
        adapter[KEY] = cfg.get('load_from')
        cfg.load_from = None
    _resolve(adapter)


def _resolve(adapter: MutableMapping[str, Any]) -> None:
    """Replace a folder by its weights file; the editor refuses others."""
    base = adapter.get(KEY)
    if isinstance(base, str) and Path(base).is_dir():
        found = weights_in(Path(base))
        if found is not None:
            adapter[KEY] = str(found)


def read_whole_model(
    path: Path,
) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Read the weights and the config of a model file.

    Raises:
        ValueError: If the file holds an adapter alone, or cannot be read.
    """
    weights, config = read_model_file(path)
    if HASH in weights:
        raise ValueError(
            f'{path} is an adapter: give the model that it was trained on, '
            f'and --adapter {path} (in Python, load_adapters)'
        )
    return weights, config
