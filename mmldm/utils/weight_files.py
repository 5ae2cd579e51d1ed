"""Published weights files, in torch's cache or elsewhere."""

import hashlib
import re
from pathlib import Path

import torch


def weight_cache() -> Path:
    """Folder in which torch and most packages keep downloaded weights."""
    return Path(torch.hub.get_dir(), 'checkpoints')


def file_hash(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def verify_name(path: Path, argument: str, remedy: str) -> None:
    """Compare the digits in a file's name with its SHA-256.

    Such names are NAME-DIGITS.pth, as torch uses, and
    NAME-DIGITS.safetensors.

    Args:
        path: The file; a name without digits is not checked.
        argument: Argument that names the file, for the message.
        remedy: Remedy in the message.

    Raises:
        ValueError: If the digits differ.
    """
    digits = re.search(r'-([0-9a-f]{8,})\.(pth|safetensors)$', path.name)
    if digits is None:
        return
    digest = file_hash(path)
    if not digest.startswith(digits[1]):
        raise ValueError(
            f'{argument}: the SHA-256 of {path} is {digest[:12]}..., not the '
            f'{digits[1]} in its name, so it is cut off or another file: '
            f'{remedy}'
        )
