"""Fields of data samples from the flags of tools/sample.py."""

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmldm.utils.files import check_file

from .inference.pictures import READERS, read_picture
from .sample_flags import FLAGS

Content = TypeVar('Content')
# Fields of rows of numbers; all other arrays with two axes are maps.
ROWS = ('tokens', 'features')


def read_fields(args: argparse.Namespace) -> dict[str, Any]:
    """Read the fields that all images share.

    Args:
        args: Arguments of tools/sample.py.

    Raises:
        FileNotFoundError, ValueError: If a file cannot be read or is
            invalid; names the flag.
    """
    fields: dict[str, Any] = {}
    if args.image is not None:
        fields['gt_img'] = _file('--image', read_picture, args.image)
    if args.mask is not None:
        fields['mask'] = _file('--mask', READERS['mask'], args.mask)
    if args.low_res is not None:
        fields['img_lq'] = _file('--low-res', read_picture, args.low_res)
    if args.map is not None:
        fields['gt_sem_seg'] = _file('--map', READERS['map'], args.map)
    if args.like is not None and args.database is None:
        fields['ref_imgs'] = [
            _file('--like', read_picture, path) for path in args.like
        ]
    if args.object is not None:
        fields['layout'] = [(int(c), box) for c, *box in args.object]
    for told in args.field or []:
        field, value = _own(told)
        fields[field] = value
    return fields


def _own(told: str) -> tuple[str, Tensor]:
    """Name and value of a field that the toolbox does not know."""
    field, _, path = told.partition('=')
    if not field.isidentifier() or not path:
        raise ValueError(
            f'--field {told} must be NAME=FILE, such as sketch=sketch.png'
        )
    if field in FLAGS:
        raise ValueError(f'--field {told}: use {FLAGS[field]} instead')
    read = _array if path.endswith('.npy') else _map
    value = _file(f'--field {field}', read, path)
    if value.ndim == 2 and field not in ROWS:
        value = value[None]
    return field, value


def _file(flag: str, read: Callable[[str], Content], path: str) -> Content:
    """Read a file; errors name the flag."""
    check_file(flag, path)
    try:
        return read(path)
    except (OSError, ValueError) as error:
        raise ValueError(f'{flag}: {error}') from error


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
