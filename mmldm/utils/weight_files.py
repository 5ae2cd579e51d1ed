"""Published files of weights, in torch's cache or elsewhere."""

import hashlib
import re
from pathlib import Path

import torch


def weight_cache() -> Path:
    """Where torch and most packages keep the weights they download."""
    return Path(torch.hub.get_dir(), 'checkpoints')


def verify_name(path: Path, argument: str, url: str) -> None:
    """Compare the digits in NAME-DIGITS.pth with the file's SHA-256.

    Args:
        path: The file; one without digits in its name passes.
        argument: What named it, for the message.
        url: Where it is published.

    Raises:
        ValueError: If they differ.
    """
    digits = re.search(r'-([0-9a-f]{8,})\.pth$', path.name)
    if digits is None:
        return
    with open(path, 'rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    if not digest.startswith(digits[1]):
        raise ValueError(
            f'{argument}: the SHA-256 of {path} is {digest[:12]}..., not the '
            f'{digits[1]} of its name, so that it is cut off or another file: '
            f'download {url} again'
        )
