"""Photographs that need no download, or a package of Debian."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmldm.datasets import AddressedDataset
from mmldm.registry import DATASETS
from mmldm.utils import check_choice, check_positive

# The photographs in colour. The motorcycle has two views, both for training.
FROM_SKLEARN = ('china', 'flower')
FROM_SKIMAGE = (
    'astronaut',
    'cat',
    'coffee',
    'hubble_deep_field',
    'immunohistochemistry',
    'motorcycle',
    'rocket',
)
# A building, a cat and a still life.
HELD_OUT = ('china', 'cat', 'coffee')
# Where Debian installs its packages' files.
INSTALLED = '/usr/share'
# Photographs among the wallpapers of packages, below this folder. The last one
# of each package is held out.
PACKAGES = {
    'lomiri-wallpapers-16.04': (
        'backgrounds/Dragonfly_by_Bolly.jpg',
        'backgrounds/Picture_1A_by_freespace.jpg',
        'backgrounds/Wine_by_Jakkub_Mede.jpg',
        'backgrounds/aitzgorri_by_Aitzol_Berasategi.jpg',
        'backgrounds/friends_by_Aitzol_Berasategi.jpg',
        'backgrounds/picosdeeuropa_by_Aitzol_Berasategi.jpg',
        'backgrounds/life_by_Aitzol_Berasategi.jpg',
    ),
    'mate-backgrounds': (
        'backgrounds/mate/nature/Dune.jpg',
        'backgrounds/mate/nature/GreenMeadow.jpg',
        'backgrounds/mate/nature/LadyBird.jpg',
        'backgrounds/mate/nature/RainDrops.jpg',
        'backgrounds/mate/nature/YellowFlower.jpg',
        'backgrounds/mate/nature/Garden.jpg',
    ),
    'plasma-workspace-wallpapers': (
        'wallpapers/EveningGlow/contents/images/2560x1600.jpg',
        'wallpapers/OneStandsOut/contents/images/2560x1600.jpg',
        'wallpapers/Path/contents/images/2560x1600.jpg',
        'wallpapers/FallenLeaf/contents/images/2560x1600.jpg',
    ),
}
# Longer side to which wallpapers are shrunk, pixels: at full size, a camera's
# pixels are smooth.
LONGEST = 1024


@DATASETS.register_module()
class Photographs(AddressedDataset):
    """Squares of the photographs in scikit-learn's and scikit-image's wheels.

    Whole photographs are held out: 'val' has the tiles of three of them, side
    by side. 'train' has the other photographs, each as often as it has tiles;
    its pipeline needs ``Crop``, which cuts out squares at random.

    Args:
        split: 'train' (7 photographs) or 'val' (3), and those of packages.
        size: Side of a tile, pixels.
        pipeline: Transforms; the photograph or tile is under ``img``.
        packages: Debian packages whose photographs are added, keys of
            ``PACKAGES``; one photograph of each is held out.
        data_root: Folder of the packages' files; None for /usr/share, where
            they are installed.
        kwargs: Arguments of mmengine's ``BaseDataset``.
    """

    def __init__(
        self,
        split: str,
        size: int | None,
        pipeline: list,
        packages: Sequence[str] = (),
        data_root: str | None = None,
        **kwargs,
    ) -> None:
        check_choice('Photographs.split', split, ('train', 'val'))
        check_positive('Photographs.size', size or 0)
        for package in packages:
            check_choice('Photographs.packages', package, PACKAGES)
        self.split = split
        self.size = size
        self.packages = packages
        self.wallpapers = Path(data_root or INSTALLED)
        super().__init__(pipeline, serialize_data=False, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry for each tile: ``img``, uint8 RGB, ``size``, ``name``."""
        entries = []
        for name, photograph in self._photographs():
            tiles = cut_into_tiles(photograph, self.size)
            if self.split == 'train':
                tiles = [photograph] * len(tiles)
            entries += [
                dict(img=image, size=self.size, name=name) for image in tiles
            ]
        return entries

    def _photographs(self) -> Iterator[tuple[str, np.ndarray]]:
        """Names and pixels of the photographs of the split."""
        held_out = self.split == 'val'
        for name in (*FROM_SKLEARN, *FROM_SKIMAGE):
            if (name in HELD_OUT) == held_out:
                for photograph in read_photograph(name):
                    yield name, photograph
        for package in self.packages:
            *train, last = PACKAGES[package]
            for name in [last] if held_out else train:
                yield name, read_wallpaper(self.wallpapers, package, name)


def read_wallpaper(root: Path, package: str, name: str) -> np.ndarray:
    """A photograph of a Debian package, shrunk, uint8 RGB (H, W, 3).

    Raises:
        FileNotFoundError: If the package is not installed.
    """
    path = root / name
    if not path.is_file():
        raise FileNotFoundError(
            f'Photographs.packages={package!r} needs {path}: apt-get install '
            f'{package}, or apt-get download it, dpkg -x it to DIR and set '
            'data_root=DIR/usr/share, or leave it out of packages'
        )
    with Image.open(path) as image:
        image.draft('RGB', (LONGEST, LONGEST))
        image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        return np.asarray(image.convert('RGB'))


def read_photograph(name: str) -> list[np.ndarray]:
    """The photographs of one name, uint8 RGB (H, W, 3)."""
    if name in FROM_SKLEARN:
        from sklearn.datasets import load_sample_image

        return [load_sample_image(f'{name}.jpg')]
    from skimage import data

    if name == 'motorcycle':
        return [*data.stereo_motorcycle()[:2]]
    return [getattr(data, name)()]


def cut_into_tiles(image: np.ndarray, size: int) -> list[np.ndarray]:
    """Squares side by side from the top left; the rest is left out."""
    height, width = image.shape[:2]
    return [
        image[top : top + size, left : left + size]
        for top in range(0, height - size + 1, size)
        for left in range(0, width - size + 1, size)
    ]
