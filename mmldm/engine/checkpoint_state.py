"""Conversion of the Runner's state to tensors and plain values, and back.

Only these load with ``weights_only=True``, but mmengine's message hub holds
``HistoryBuffer`` objects and NumPy scalars.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MessageHub

# Longer than any smoothing window of a log; the full log is on disk.
HISTORY_LENGTH = 10_000


def plain(
    value: Any, key: str = 'checkpoint', copy_tensors: bool = True
) -> Any:
    """Convert to tensors on the CPU and plain Python values.

    Args:
        value: Dicts, lists, tensors, arrays, numbers and text.
        key: Dotted key of the value, for the message.
        copy_tensors: False leaves tensors on their device, for a trial.

    Raises:
        ValueError: If a value cannot be converted; names its key.
    """
    if isinstance(value, torch.Tensor):
        return value.detach().cpu() if copy_tensors else value
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy() if copy_tensors else value)
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, Mapping):
        return {
            plain(k, f'a key of {key}'): plain(v, f'{key}.{k}', copy_tensors)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple | set):
        items = [
            plain(item, f'{key}.{i}', copy_tensors)
            for i, item in enumerate(value)
        ]
        return tuple(items) if isinstance(value, tuple) else items
    raise ValueError(
        f'{key} is a {type(value).__name__}, which a checkpoint cannot hold: '
        'in state_dict() or before_save_checkpoint() of the class that '
        'stores it, use tensors, numbers, text, lists and dicts'
    )


def hub_state(hub: MessageHub) -> dict:
    """The resumable part of a message hub, as plain values."""
    state = hub.state_dict()
    scalars = {
        name: [history[-HISTORY_LENGTH:] for history in buffer.data]
        for name, buffer in state['log_scalars'].items()
    }
    info = dict(state['runtime_info'])
    # meta has the text of the config already.
    info.pop('cfg', None)
    return plain({**state, 'log_scalars': scalars, 'runtime_info': info})


def hub_state_for_loading(state: Mapping[str, Any]) -> dict:
    """Inverse of :func:`hub_state`: a state that a message hub can load."""
    buffers = {
        name: HistoryBuffer(history.numpy(), counts.numpy())
        for name, (history, counts) in state['log_scalars'].items()
    }
    known = {*buffers, *state['runtime_info']}
    resumed = {k: v for k, v in state['resumed_keys'].items() if k in known}
    return {**state, 'log_scalars': buffers, 'resumed_keys': resumed}
