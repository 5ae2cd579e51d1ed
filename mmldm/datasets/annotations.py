"""Base class of annotations: sources of fields for the images of a folder."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property

from mmldm.registry import DATASETS
from mmldm.utils import check_count

from .image_files import read_header
from .report import DataReport, printable
from .threads import in_threads

Fields = dict[str, dict]


class Annotations(ABC):
    """A source of fields of data samples.

    Attributes:
        classes: Names of the classes, in order; None where there are none.
            Known once it was read.
    """

    classes: Sequence[str] | None = None
    #: How an image without annotation, which is left out, is counted: as a
    #: 'defect', as a 'choice', or not again ('counted') where ``read`` has
    #: counted the reason.
    silence = 'defect'

    @cached_property
    def report(self) -> DataReport:
        """Counts what is left out; a data set replaces it by its own."""
        return DataReport(type(self).__name__)

    @abstractmethod
    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """Fields by name of the image.

        Args:
            root: Folder of the data set, from which paths of files lead.
            images: Paths of all images by name; the name is the path
                relative to the folder of the images.

        Single entries that are wrong are left out and counted.

        Raises:
            ValueError: If no entry is usable, or the file cannot be read
                at all.
        """


def check_own(owners: dict[str, str], file: str, image: str) -> None:
    """Raise if two images share an annotation file.

    Args:
        owners: Image names by file; this image is added.
        file: Path of the image's annotation file.
        image: Name of the image.

    Raises:
        ValueError: If the file has another image already; names both.
    """
    other = owners.setdefault(file, image)
    if other != image:
        raise ValueError(
            f'images {printable(other)} and {printable(image)} would both '
            f'take {printable(file)}: rename or remove one'
        )


@DATASETS.register_module()
class LargeImages(Annotations):
    """Leave out images that are too small; give no fields.

    Args:
        min_side: Least length of the shorter side, pixels.
    """

    silence = 'choice'

    def __init__(self, min_side: int) -> None:
        check_count('LargeImages.min_side', min_side)
        self.min_side = min_side

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        sides = in_threads(_shorter_side, images.values())
        return {
            name: {}
            for name, side in zip(images, sides, strict=True)
            if side is None or side >= self.min_side
        }


def _shorter_side(path: str) -> int | None:
    """Length in pixels; None if the file is unreadable (counted elsewhere)."""
    try:
        header = read_header(path)
    except (OSError, ValueError):
        return None
    return min(header.height, header.width)
