"""What is said about the images of a folder."""

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
    #: What it means that nothing is said of an image, which is left out: a
    #: 'defect', a 'choice', or 'counted' where the reason was counted before.
    silence = 'defect'

    @cached_property
    def report(self) -> DataReport:
        """What is left out is counted here; a data set gives its own."""
        return DataReport(type(self).__name__)

    @abstractmethod
    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """Fields by name of the image.

        Args:
            root: Folder of the data set, from which paths of files lead.
            images: Paths of all images by name, the path below their folder.

        Single entries that are wrong are left out and counted.

        Raises:
            ValueError: If all of it is wrong, or it cannot be told what is.
        """


def check_own(owners: dict[str, str], file: str, image: str) -> None:
    """Raise if a file is that of another image as well.

    Args:
        owners: Images by file, to which this one is added.
        file: Of the image.
        image: Its name.

    Raises:
        ValueError: Naming both images.
    """
    other = owners.setdefault(file, image)
    if other != image:
        raise ValueError(
            f'images {printable(other)} and {printable(image)} would both '
            f'take {printable(file)}: rename or remove one'
        )


@DATASETS.register_module()
class LargeImages(Annotations):
    """Nothing but which images are large enough; the others are left out.

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
    """Pixels; None of what cannot be read, which is counted elsewhere."""
    try:
        header = read_header(path)
    except (OSError, ValueError):
        return None
    return min(header.height, header.width)
