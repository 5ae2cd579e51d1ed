"""Index file: the embeddings of a folder's images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmldm.utils.whole_files import written_whole

KEY, END = 'mmldm_index', b'\0'


class ImageIndex(NamedTuple):
    """Embeddings of the images below a folder.

    Attributes:
        embeddings: (N, C), norm 1.
        paths: Paths of the images, relative to their folder.
        encoder: Folder or name of the CLIP model.
        digest: SHA-256 of the weights of CLIP's vision model.
    """

    embeddings: Tensor
    paths: Sequence[str]
    encoder: str
    digest: str


def write_index(path: str | Path, index: ImageIndex) -> None:
    """Write an index, whole or not at all.

    Args:
        path: A ``.safetensors`` file.
        index: The index.

    Raises:
        ValueError: If ``path`` has another suffix.
    """
    path = Path(path)
    if path.suffix != '.safetensors':
        raise ValueError(f'index {path} must be named NAME.safetensors')
    path.parent.mkdir(parents=True, exist_ok=True)
    names = END.join(name.encode() for name in index.paths)
    tensors = dict(
        embeddings=index.embeddings.contiguous(),
        paths=torch.from_numpy(np.frombuffer(names, np.uint8).copy()),
    )
    header = json.dumps(dict(encoder=index.encoder, digest=index.digest))
    with written_whole(path) as file:
        save_file(tensors, file.name, {KEY: header})


def read_index(path: str | Path) -> ImageIndex:
    """Read an index that :func:`write_index` wrote.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not an index.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'index {path} does not exist: set its path')
    try:
        with safe_open(path, 'pt') as file:
            header = json.loads(file.metadata()[KEY])
            names = file.get_tensor('paths').numpy().tobytes()
            index = ImageIndex(
                file.get_tensor('embeddings'),
                names.decode().split(END.decode()),
                header['encoder'],
                header['digest'],
            )
    except (
        SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
    ) as error:
        raise ValueError(
            f'{path} is not an index of images ({error!r}): write one by '
            'tools/dataset_converters/neighbours.py IMAGES --index FILE'
        ) from error
    if len(index.paths) != len(index.embeddings):
        raise ValueError(
            f'{path} is not an index: it has {len(index.embeddings)} '
            f'embeddings for {len(index.paths)} paths'
        )
    return index
