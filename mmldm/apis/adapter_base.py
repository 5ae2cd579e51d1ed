"""The model that an adapter is trained on."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

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
