"""Parts of transformers, from a folder or huggingface.co."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Part = TypeVar('Part')
# Seconds in which the hub answers; without, transformers asks for minutes.
PATIENCE = 10


def from_hub(load: Callable[..., Part], source: str) -> Part:
    """What a folder has, or the local cache, or huggingface.co.

    Args:
        load: A ``from_pretrained``, or what takes the same and checks it.
        source: Folder or name.

    Raises:
        Exception: Whatever transformers raises; the network's, if the hub
            does not answer.
    """
    try:
        return load(source, local_files_only=True)
    except Exception:
        if Path(source).is_dir():
            raise
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    return load(source)


def required(
    load: Callable[..., Part], source: str, where: str, what: str
) -> Part:
    """As :func:`from_hub`, with one line for whatever goes wrong.

    Args:
        load: See :func:`from_hub`.
        source: Folder or name.
        where: What named it, with its value.
        what: What the folder should hold.

    Raises:
        ValueError: If it is not to be had.
    """
    try:
        return from_hub(load, source)
    except Exception as error:
        raise ValueError(
            f'{where} is neither a folder with {what} nor the name of one '
            f'that could be downloaded ({first_line(error)}): give the folder'
        ) from error


def first_line(error: Exception) -> str:
    """What an error of transformers says, without its pages of advice."""
    return (str(error).strip() or repr(error)).splitlines()[0]
