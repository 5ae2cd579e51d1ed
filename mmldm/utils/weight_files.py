"""Published files of weights, in torch's cache or elsewhere."""

import hashlib
import re
from pathlib import Path

import torch


def weight_cache() -> Path:
    """Where torch and most packages keep the weights they download."""
    return Path(torch.hub.get_dir(), 'checkpoints')


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def verify_name(path: Path, argument: str, remedy: str) -> None:
    """Compare the digits of a name with the file's SHA-256.

    NAME-DIGITS.pth, as torch's are called, or NAME-DIGITS.safetensors.

    Args:
        path: The file; one without digits in its name passes.
        argument: What named it, for the message.
        remedy: What to do if they differ.

    Raises:
        ValueError: If they differ.
    """
    digits = re.search(r'-([0-9a-f]{8,})\.(pth|safetensors)$', path.name)
    if digits is None:
        return
    digest = file_hash(path)
    if not digest.startswith(digits[1]):
        raise ValueError(
            f'{argument}: the SHA-256 of {path} is {digest[:12]}..., not the '
            f'{digits[1]} of its name, so that it is cut off or another file: '
            f'{remedy}'
        )
