"""Files of the images that a page shows."""

import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from PIL import Image

from ..picture_settings import write_picture

OLD = 86400  # seconds


class Kept(NamedTuple):
    """An image that was drawn."""

    path: str
    caption: str
    settings: dict[str, Any]

    @property
    def is_there(self) -> bool:
        """Whether its file was not deleted."""
        return Path(self.path).exists()


class Shelf:
    """A folder of images, which are deleted after a day."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix='mmldm_page_')

    def keep(self, picture: Image.Image) -> Kept:
        """A PNG file of a generated image, with its settings as text."""
        settings = dict(picture.info['mmldm'])
        seed, number = settings['seed'], settings['number']
        # A folder each: two visitors may draw the same image at a time.
        path = Path(self._folder.name, uuid4().hex, f'seed{seed}_{number}.png')
        write_picture(np.asarray(picture), path, settings)
        return Kept(str(path), f'seed {seed} #{number}', settings)

    def remove_old(self, age: float = OLD) -> None:
        """Delete images that are older than ``age`` seconds."""
        for folder in Path(self._folder.name).iterdir():
            if folder.stat().st_mtime < time.time() - age:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Delete all images."""
        self._folder.cleanup()
