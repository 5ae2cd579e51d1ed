"""Writing of images, and the names of their files."""

from pathlib import Path

import cv2
import numpy as np

from mmldm.utils.image_store import IMAGES


def other_images(folder: str | Path, written: set[Path]) -> str | None:
    """A warning about files beside the written images; None if none."""
    others = {*Path(folder, IMAGES).glob('*')} - written
    if not others:
        return None
    return (
        f'{Path(folder, IMAGES)} has {len(others)} files that this run did '
        f'not write, such as {min(others).name}: remove them before you '
        'compare the folder with others'
    )


def write_image(image: np.ndarray, path: Path) -> None:
    """Write a uint8 RGB array (H, W, 3) as PNG; make its directory.

    Raises:
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise OSError(f'{path} could not be written: check its free space')
