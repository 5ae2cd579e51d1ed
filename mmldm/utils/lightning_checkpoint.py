"""Weights in files that Lightning wrote, the original's among them.

They are old pickles that hold objects of Lightning, OmegaConf and NumPy, and
classes as keys of dicts. Only their weights are read.
"""

import mmap
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from reprlib import repr as shorten
from typing import Any, BinaryIO, NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor

from .checkpoint import few, read_checkpoint, without_wrappers
from .restricted_pickle import (
    PickledTensor,
    RefusedError,
    RestrictedUnpickler,
)

# What the files of torch before 1.6 begin with, a pickle each.
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001
# Keys under which programs store weights; the first one that exists counts.
NESTS = 'state_dict', 'model_state_dict', 'model', 'module'


class Content(NamedTuple):
    """A file's pickle, and where in the file its storages are.

    ``places``: first byte and number of bytes, by the storage's key.
    """

    root: Any
    places: Mapping[str, tuple[int, int]]


def read_compvis_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """The weights in a ``.ckpt`` file of the original, or of its like.

    Nothing in the file is executed, and nothing that it names is imported.
    The file is mapped into memory: what is not used, such as the state of an
    optimizer, is not read.

    Args:
        path: A file of ``torch.save``, in the format before torch 1.6 or
            the one since, with a ``state_dict`` or of weights alone; or a
            ``.safetensors`` file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is cut off or no checkpoint, names what could do
            harm, or has no weights.
    """
    path = Path(path)
    if path.suffix == '.safetensors':
        return without_wrappers(read_checkpoint(path))
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {path} does not exist')
    try:
        with open(path, 'rb') as file:
            content = _read(file)
            pickled = _state_dict(content.root)
            weights = dict(_tensors(pickled, content.places, file))
    except RefusedError as error:
        raise ValueError(
            f'checkpoint {path} asks for {error}, which weights do not need '
            'and which could do harm: it is refused, and nothing was '
            'executed. If the file is your own, write its weights alone, '
            'torch.save(dict(state_dict=model.state_dict()), FILE)'
        ) from error
    except _NoWeightsError as error:
        raise ValueError(f'checkpoint {path} {error}') from error
    except Exception as error:  # a hostile file makes pickle raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f'checkpoint {path} cannot be read: it is cut off, or is no '
            f'checkpoint of torch ({reason:.200})'
        ) from error
    return without_wrappers(weights)


class _NoWeightsError(ValueError):
    """The file was read, and is not what it should be."""


def _read(file: BinaryIO) -> Content:
    """The stand-ins in a file of either format."""
    is_zip = file.read(4) == b'PK\x03\x04'
    file.seek(0)
    return _read_zip(file) if is_zip else _read_legacy(file)


def _read_zip(file: BinaryIO) -> Content:
    """A file of torch 1.6 or later: a pickle and storages, not compressed."""
    with zipfile.ZipFile(file) as archive:
        entries = {
            info.filename.partition('/')[2]: info
            for info in archive.infolist()
        }
        if any(
            info.compress_type != zipfile.ZIP_STORED
            for info in entries.values()
        ):
            raise ValueError('its parts are compressed, which torch never did')
        if 'data.pkl' not in entries:
            raise ValueError('a zip file without data.pkl')
        if 'byteorder' in entries:
            order = archive.read(entries['byteorder']).decode()
            _check_byte_order(order == 'little')
        with archive.open(entries['data.pkl']) as pickled:
            root = RestrictedUnpickler(pickled).load()
    places = {
        name.removeprefix('data/'): (_start(file, info), info.file_size)
        for name, info in entries.items()
        if name.startswith('data/')
    }
    return Content(root, places)


def _start(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """First byte of what a zip file holds under a name."""
    file.seek(info.header_offset)
    header = file.read(30)
    lengths = header[26:28], header[28:30]  # of the name, and of more
    return file.tell() + sum(int.from_bytes(n, 'little') for n in lengths)


def _read_legacy(file: BinaryIO) -> Content:
    """A file of torch before 1.6: five pickles, then storages in order."""
    magic, version, system = (
        RestrictedUnpickler(file).load() for _ in range(3)
    )
    if (magic, version) != (LEGACY_MAGIC, LEGACY_VERSION):
        raise ValueError('it does not begin as files of torch do')
    _check_byte_order(system['little_endian'])
    unpickler = RestrictedUnpickler(file)
    root = unpickler.load()
    keys = RestrictedUnpickler(file).load()
    places = {}
    end = file.tell()
    for key in keys:
        start = end + 8
        numel = int.from_bytes(file.read(8), 'little')
        length = numel * unpickler.storages[key].dtype.itemsize
        places[key] = start, length
        end = file.seek(start + length)
    if end > os.fstat(file.fileno()).st_size:
        raise ValueError('its last storages are missing')
    return Content(root, places)


def _check_byte_order(little: bool) -> None:
    if little != (sys.byteorder == 'little'):
        raise ValueError('it was written on a machine of another byte order')


def _state_dict(root: Any) -> Mapping[str, PickledTensor]:
    """The weights by name, from the dict that holds them.

    Plain values beside tensors are left out and named.
    """
    if not isinstance(root, dict):
        raise _NoWeightsError(f'holds a {type(root).__name__}, not a dict')
    weights, path = _innermost(root)
    whose = f'its {path}' if path else 'it, or a state_dict'
    if not weights:
        raise _NoWeightsError(f'has no weights: {whose} is empty')
    found = {n: w for n, w in weights.items() if isinstance(w, PickledTensor)}
    for name, value in weights.items():
        if isinstance(name, str) and found:
            continue
        raise _NoWeightsError(
            f'has no weights: {whose} should hold tensors by name, not a '
            f'{type(value).__name__} as {shorten(name):.80}'
        )
    if others := sorted(weights.keys() - found.keys()):
        print_log(
            f'{len(others)} entries that are no tensors are left out: '
            f'{few(others)}',
            logger='current',
        )
    return found


def _innermost(root: dict) -> tuple[dict, str]:
    """The dict that holds tensors, and its keys, 'model.state_dict'."""
    weights, path = root, []
    # A hostile dict may hold itself.
    while len(path) < len(NESTS) and (key := _nest(weights)) is not None:
        path.append(key)
        weights = weights[key]
        if not isinstance(weights, dict):
            raise _NoWeightsError(
                f'has a {type(weights).__name__} as its {key}, not a dict'
            )
    if path not in ([], ['state_dict']):
        print_log(
            f'The weights are read from {".".join(path)}', logger='current'
        )
    return weights, '.'.join(path)


def _nest(weights: dict) -> str | None:
    """The key of a dict of weights in another dict, or of what should be."""
    if NESTS[0] in weights:
        return NESTS[0]
    return next((k for k in NESTS if isinstance(weights.get(k), dict)), None)


def _tensors(
    pickled: Mapping[str, PickledTensor],
    places: Mapping[str, tuple[int, int]],
    file: BinaryIO,
) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors, whose bytes are read when they are used."""
    # Private to this process: tensors may be written to, the file is not.
    content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    for name, tensor in pickled.items():
        try:
            yield name, _tensor(tensor, places, content)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f'{name}: {error}') from error


def _tensor(
    tensor: PickledTensor,
    places: Mapping[str, tuple[int, int]],
    content: mmap.mmap,
) -> Tensor:
    """A view of the file.

    Raises:
        ValueError: If it leads out of its storage, or that out of the file.
    """
    storage, shape, stride = tensor.storage, tensor.shape, tensor.stride
    start, length = places[storage.key]
    size = storage.dtype.itemsize
    if start + length > len(content) or storage.numel * size > length:
        raise ValueError('its storage ends after the end of the file')
    numbers = (tensor.offset, *shape, *stride)
    if len(shape) != len(stride) or min(numbers) < 0:
        raise ValueError(f'shape {shorten(shape)}, stride {shorten(stride)}')
    if 0 in shape:
        return torch.empty(shape, dtype=storage.dtype)
    steps = sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if tensor.offset + steps >= storage.numel:
        raise ValueError('it ends after the end of its storage')
    flat = torch.frombuffer(
        content,
        dtype=storage.dtype,
        count=steps + 1,
        offset=start + tensor.offset * size,
    )
    # The old format aligns nothing. (The view may repeat elements without
    # end, what it is of is no longer than the file.)
    aligned = flat if flat.data_ptr() % size == 0 else flat.clone()
    return aligned.as_strided(shape, stride)
