"""Arguments as files of requests and command lines write them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmldm.diffusion import Sampling
from mmldm.models.editors import LatentDiffusion
from mmldm.utils.files import check_file

from .pictures import read_picture
from .requests import ARGUMENTS

# Fields of rows of numbers; all other arrays with two axes are maps.
ROWS = ('tokens', 'features')


def as_arguments(written: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of an inferencer from written ones.

    Args:
        written: Values of ``fields`` are names of files.

    Raises:
        FileNotFoundError, ValueError: If a file cannot be read; names its
            field.
    """
    arguments = dict(written)
    if 'fields' in arguments:
        arguments['fields'] = {
            name: _read_own(name, path)
            for name, path in arguments['fields'].items()
        }
    return arguments


def sampling_in_full(model: LatentDiffusion) -> dict[str, Any]:
    """How a model samples, as plain values, to be read by people."""
    scheduler = model.diffusion_scheduler
    sampling = Sampling(
        solver=scheduler.solver,
        time_grid=scheduler.time_grid,
        num_steps=scheduler.num_steps,
        guidance=model.guidance,
        windows=model.windows,
    )
    return _finite(sampling.settings)


def _finite(node: Any) -> Any:
    """The values with infinite numbers as text, which JSON lacks."""
    if isinstance(node, dict):
        return {name: _finite(value) for name, value in node.items()}
    if isinstance(node, float) and not math.isfinite(node):
        return str(node)
    return [*map(_finite, node)] if isinstance(node, list | tuple) else node


def _read_own(name: str, path: str) -> Tensor:
    """The value of a field that the toolbox does not know."""
    if not name.isidentifier():
        raise ValueError(f'fields: {name!r} is not a name of a field')
    if name in ARGUMENTS:
        raise ValueError(f'fields[{name!r}]: give {ARGUMENTS[name]} instead')
    check_file(f'fields[{name!r}]', path)
    read = _array if path.endswith('.npy') else _map
    try:
        value = read(path)
    except (OSError, ValueError) as error:
        raise ValueError(f'fields[{name!r}]: {error}') from error
    return value[None] if value.ndim == 2 and name not in ROWS else value


def _map(path: str) -> Tensor:
    """Read a grey image as uint8 (1, H, W), another as RGB (3, H, W)."""
    rgb = read_picture(path)
    with Image.open(path) as image:
        grey = image.mode.startswith(('1', 'L', 'I'))
    return rgb[:1] if grey else rgb


def _array(path: str) -> Tensor:
    """Read the array of a NumPy file."""
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f'{path} cannot be read ({error}): write it with numpy.save'
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in 'biuf':
        raise ValueError(f'{path} must be one array of numbers')
    return torch.from_numpy(array)
