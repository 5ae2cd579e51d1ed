"""Loading of parts of transformers from a folder or huggingface.co."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

Part = TypeVar('Part')
# Seconds to wait for the hub; transformers alone would try for minutes.
PATIENCE = 10


def from_hub(load: Callable[..., Part], source: str) -> Part:
    """Load a part from a folder, the local cache, or huggingface.co.

    Args:
        load: A ``from_pretrained``, or a function with its arguments.
        source: Folder, or name on the hub.

    Raises:
        ValueError: If a folder's config asks for a package that quantizes.
        Exception: Whatever transformers raises; the network's, if the hub
            does not answer.
    """
    _refuse_quantized(Path(source))
    try:
        return load(source, local_files_only=True)
    except Exception:
        # In a trial without memory, nothing is loaded from anywhere.
        if Path(source).is_dir() or torch.empty(0).is_meta:
            raise
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    return load(source)


def _refuse_quantized(folder: Path) -> None:
    """Raise if a folder's config names a package that is to be imported."""
    path = folder / 'config.json'
    if path.is_file() and b'"quantization_config"' in path.read_bytes():
        raise ValueError(
            f'{path} has quantization_config, which imports other packages: '
            'give weights in full precision, and remove the key'
        )


def required(
    load: Callable[..., Part], source: str, where: str, what: str
) -> Part:
    """Load a part as :func:`from_hub` does, with errors in one line.

    Args:
        load: See :func:`from_hub`.
        source: Folder, or name on the hub.
        where: Config key that names the source, with its value.
        what: Expected content of the folder.

    Raises:
        ValueError: If the part is not available.
    """
    try:
        return from_hub(load, source)
    except Exception as error:
        raise ValueError(
            f'{where} is neither a folder with {what} nor the name of one '
            f'that could be downloaded ({first_line(error)}): give the folder'
        ) from error


def default_attention(cls: type) -> str:
    """The attention of a class of transformers, to load its networks with.

    A folder's config.json could name a package instead, whose code
    transformers would fetch and run.
    """
    return 'sdpa' if getattr(cls, '_supports_sdpa', False) else 'eager'


def first_line(error: Exception) -> str:
    """The first line of an error of transformers, without its advice."""
    return (str(error).strip() or repr(error)).splitlines()[0]
