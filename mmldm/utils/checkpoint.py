"""Safe reading, atomic writing and strict loading of checkpoints."""

import hashlib
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from safetensors.torch import load_file
from torch import Tensor, nn

from .newest_checkpoint import newest_checkpoint
from .whole_files import flush_directory, written_whole

# The name of the class in a pickle.
BYTEARRAY = re.compile(rb'c(__builtin__|builtins)\nbytearray\n')
# Bytes; files older than torch 1.6 begin with pickles of this size at most.
LONGEST_PICKLE = 2**24
# Parts that torch's wrappers add to names: torch.compile, FSDP, activation
# checkpointing. DistributedDataParallel adds 'module', which other modules
# use too, and which is removed only if all names begin with it.
WRAPPERS = {
    '_orig_mod',
    '_fsdp_wrapped_module',
    '_checkpoint_wrapped_module',
}


def read_checkpoint(
    path: str | Path, map_location: Any = 'cpu', mapped: bool = False
) -> dict:
    """Read a ``.pth`` or ``.safetensors`` file.

    Nothing in the file is executed. For a directory, its newest checkpoint is
    read.

    Args:
        path: The file, or a directory.
        map_location: Device of the tensors.
        mapped: Whether tensors are read from the file when they are used, so
            that several processes of a machine share the memory.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is cut off, not a checkpoint, or holds anything but
            tensors and plain values.
    """
    path = Path(path)
    if path.is_dir():
        path = newest_checkpoint(path) or path / 'iter_*.pth'
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {path} does not exist')
    try:
        if path.suffix == '.safetensors':
            return load_file(path)
        _check_stored(path)
        checkpoint = torch.load(
            path,
            map_location=map_location,
            weights_only=True,
            # Files older than torch 1.6 cannot be mapped.
            mmap=mapped and zipfile.is_zipfile(path),
        )
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f'checkpoint {path} cannot be read: it is cut off, is not a '
            'checkpoint, or holds more than tensors and plain values, which '
            f'is refused ({reason})'
        ) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f'checkpoint {path} holds a '
            f'{type(checkpoint).__name__}, expected a dict'
        )
    return checkpoint


def _check_stored(path: Path) -> None:
    """Raise if a small file would need much memory.

    torch never compresses, but unpacks compressed files: one megabyte can
    become a thousand. And a pickle can request a ``bytearray`` of any length
    by a single number.
    """
    with open(path, 'rb') as file:
        pickled = file.read(LONGEST_PICKLE)
    if pickled.startswith(b'PK\3\4'):
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if any(e.compress_type != zipfile.ZIP_STORED for e in entries):
                raise ValueError(
                    'its parts are compressed, which torch never does'
                )
            pickled = b''.join(
                archive.read(entry)
                for entry in entries
                if entry.filename.endswith('.pkl')
            )
    if BYTEARRAY.search(pickled):
        raise ValueError('it makes a bytearray, which weights do not need')


def write_checkpoint(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        OSError: If it cannot be written, for example on a full disk; an
            older file at ``path`` is kept.
    """
    path = Path(path)
    try:
        with written_whole(path) as file:
            torch.save(dict(checkpoint), file)
    except (OSError, RuntimeError) as error:
        # torch reports a full disk as a RuntimeError of its zip writer.
        free = shutil.disk_usage(path.parent).free / 2**20
        raise OSError(
            f'checkpoint {path} could not be written with {free:.0f} MB left '
            f'on the disk ({error}): free disk space and --resume; '
            'earlier checkpoints are intact'
        ) from error
    flush_directory(path.parent)


def weights_of(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights for use: ``state_dict`` of a training checkpoint, or all.

    If a training keeps an average, ``state_dict`` holds it.

    Raises:
        ValueError: If it is no dict of tensors by name.
    """
    weights = checkpoint.get('state_dict', checkpoint)
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str)
        # Files without a state_dict may have other entries.
        and (isinstance(weight, Tensor) or weights is checkpoint)
        for name, weight in weights.items()
    ):
        raise ValueError(
            'the state_dict of a checkpoint is not a dict of tensors by name: '
            'give the file of a model'
        )
    return without_wrappers(weights)


def without_wrappers(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the model's own names.

    ``torch.compile`` and the wrappers for several processes add parts to the
    names; their removal is logged.

    Args:
        weights: Weights, name to tensor.

    Raises:
        ValueError: If two weights would have the same name.
    """
    found: dict[str, Tensor] = {}
    distributed = all(name.startswith('module.') for name in weights)
    for name, weight in weights.items():
        parts = name.split('.')[1:] if distributed else name.split('.')
        own = '.'.join(part for part in parts if part not in WRAPPERS)
        if own in found:
            raise ValueError(
                f'{name} and another weight are both {own} without the parts '
                'that wrappers of torch add: remove one of them'
            )
        found[own] = weight
    renamed = weights.keys() - found.keys()
    if renamed:
        print_log(
            f'{len(renamed)} weights have names that wrappers of torch '
            f'extended, such as {min(renamed)}: these parts are removed',
            logger='current',
        )
    return found


def load_weights(
    module: nn.Module, weights: Mapping[str, Tensor], source: str | Path
) -> None:
    """Load all weights strictly.

    Raises:
        ValueError: If names or shapes differ; lists them. The weights that
            fit are then already loaded: a backup would double the memory.
    """
    reshaped = _reshaped(module, weights)
    # Loading would raise for the first other shape; all are reported below.
    report = module.load_state_dict(
        {n: w for n, w in weights.items() if n not in reshaped}, strict=False
    )
    missing = [name for name in report.missing_keys if name not in reshaped]
    problems = {
        'not in the file': missing,
        'not in the model': report.unexpected_keys,
        'of another shape': [*reshaped.values()],
    }
    _refuse(module, source, problems)


def check_shapes(
    module: nn.Module, weights: Mapping[str, Tensor], source: str | Path
) -> None:
    """Raise if a weight's shape differs from the module's.

    Args:
        module: The module; it may be on the device 'meta'.
        weights: Weights, name in the module to tensor; other names are not
            checked.
        source: File of the weights, for messages.

    Raises:
        ValueError: If shapes differ; lists the weights.
    """
    reshaped = [*_reshaped(module, weights).values()]
    _refuse(module, source, {'of another shape': reshaped})


def _reshaped(
    module: nn.Module, weights: Mapping[str, Tensor]
) -> dict[str, str]:
    """Messages about weights of another shape, by name."""
    own = [*module.named_parameters(), *module.named_buffers()]
    return {
        name: f'{name} {tuple(weights[name].shape)}, here {tuple(mine.shape)}'
        for name, mine in own
        if name in weights and weights[name].shape != mine.shape
    }


def _refuse(
    module: nn.Module,
    source: str | Path,
    problems: Mapping[str, Sequence[str]],
) -> None:
    """Raise if there are problems."""
    if any(problems.values()):
        lists = '; '.join(
            f'{len(names)} {what}: {few(names)}'
            for what, names in problems.items()
            if names
        )
        raise ValueError(
            f'{source} does not fit this {type(module).__name__}: {lists}: '
            'use the config of its training'
        )


def few(names: Sequence[str], most: int = 3) -> str:
    """The first names of a list, and the number of the others."""
    more = [f'... {len(names) - most} more'] if len(names) > most else []
    return ', '.join([*names[:most], *more])


def as_hex(digest: Tensor) -> str:
    """A hash, uint8 (32,), in hexadecimal digits."""
    return bytes(digest.cpu().tolist()).hex()


def weights_hash(weights: Mapping[str, Tensor]) -> Tensor:
    """SHA-256 of names, types, shapes and bytes, a uint8 tensor (32,)."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu()
        digest.update(f'{name}{tensor.dtype}{tuple(tensor.shape)}'.encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy())
    return torch.tensor(list(digest.digest()), dtype=torch.uint8)
