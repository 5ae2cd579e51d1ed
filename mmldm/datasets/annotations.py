"""What is said about the images of a folder."""

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from mmldm.registry import DATASETS
from mmldm.utils import check_count

from .image_files import read_size
from .text_files import read_table

Fields = dict[str, dict]


class Annotations(ABC):
    """A source of fields of data samples.

    Attributes:
        classes: Names of the classes, in order; None where there are none.
            Known once it was read.
    """

    classes: Sequence[str] | None = None

    @abstractmethod
    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """Fields by name of the image.

        Args:
            root: Folder of the data set, from which paths of files lead.
            images: Paths of all images by name, the path below their folder.

        Raises:
            ValueError: If something is wrong; the entry is named.
        """


@DATASETS.register_module()
class FolderClasses(Annotations):
    """``gt_label``: a folder for each class, in order of their names.

    ImageNet's folders, named by synset, give the published order.

    Args:
        num_classes: How many there must be, else training and validation
            might number them in different ways; None for any.
    """

    def __init__(self, num_classes: int | None = None) -> None:
        self.num_classes = num_classes

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        folders = {}
        for name in images:
            parts = PurePosixPath(name).parts
            if len(parts) < 2:
                raise ValueError(
                    f'image {name} below {root} is in no folder of a class: '
                    'put it into one'
                )
            folders[name] = parts[0]
        self.classes = sorted(set(folders.values()))
        if self.num_classes not in (None, len(self.classes)):
            raise ValueError(
                f'{root} has images in {len(self.classes)} folders '
                f'({", ".join(self.classes[:3])} ...), but '
                f'FolderClasses.num_classes={self.num_classes}: add what is '
                'missing, or set num_classes'
            )
        numbers = {name: i for i, name in enumerate(self.classes)}
        return {
            name: dict(gt_label=numbers[folder])
            for name, folder in folders.items()
        }


@DATASETS.register_module()
class Captions(Annotations):
    """``captions`` of a table: JSON lines, CSV or TSV with a header.

    A line names an image and a caption, or in JSON a list of them; an image
    may have several lines. ``ChooseCaption`` takes one.

    Args:
        file: Path below the data set's folder, ending in ``.jsonl``,
            ``.csv`` or ``.tsv``.
        image_key: Key or column of the image's name.
        caption_key: Key or column of the caption.
    """

    def __init__(
        self,
        file: str,
        image_key: str = 'file_name',
        caption_key: str = 'caption',
    ) -> None:
        self.file = file
        self.keys = image_key, caption_key

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        found: Fields = {}
        for place, row in read_table(Path(root) / self.file):
            for key in self.keys:
                if row.get(key) is None:
                    raise ValueError(
                        f'{place} has no {key!r}: it has '
                        f'{", ".join(map(repr, row)) or "nothing"}; set '
                        'image_key and caption_key of Captions'
                    )
            name, captions = (row[key] for key in self.keys)
            check_image(name, images, place)
            captions = [captions] if isinstance(captions, str) else captions
            texts = found.setdefault(name, dict(captions=[]))['captions']
            texts += check_captions(captions, place)
        return found


def check_image(name: object, known: Collection[str], place: str) -> None:
    """Raise unless there is such an image."""
    if not isinstance(name, str) or name not in known:
        example = f', such as {next(iter(known))}' if known else ''
        raise ValueError(
            f'{place} names the image {name!r}, which is not there: give '
            f'paths below the folder of the images{example}'
        )


def check_captions(captions: object, place: str) -> list[str]:
    """Captions without space around them.

    Raises:
        ValueError: If there is none, or one is empty or no text.
    """
    if not isinstance(captions, list) or not captions:
        raise ValueError(
            f'{place} has the caption {captions!r}, but must have a text or '
            'a list of some'
        )
    for text in captions:
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f'{place} has the caption {text!r}, which is no text'
            )
    return [text.strip() for text in captions]


@DATASETS.register_module()
class LargeImages(Annotations):
    """Nothing but which images are large enough; the others are left out.

    Args:
        min_side: Least length of the shorter side, pixels.
    """

    def __init__(self, min_side: int) -> None:
        check_count('LargeImages.min_side', min_side)
        self.min_side = min_side

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        with ThreadPoolExecutor(8) as pool:
            sizes = pool.map(read_size, images.values())
            return {
                name: {}
                for name, size in zip(images, sizes, strict=True)
                if min(size) >= self.min_side
            }


class FilesBeside(Annotations):
    """Paths of files that have the name of the image.

    Args:
        folder: Below the data set's folder; has the same subfolders as that
            of the images.
        suffix: What stands there in the place of the image's suffix, such as
            '_mask.png'.
    """

    #: Field that has the path.
    key: str

    def __init__(self, folder: str, suffix: str = '.png') -> None:
        self.folder = folder
        self.suffix = suffix

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        folder = os.path.join(root, self.folder)
        found = {}
        for name in images:
            path = os.path.join(folder, os.path.splitext(name)[0])
            path += self.suffix
            if not os.path.isfile(path):
                raise ValueError(
                    f'image {name} has no {path}: add it, or set folder and '
                    f'suffix of {type(self).__name__}'
                )
            found[name] = {self.key: path}
        return found


@DATASETS.register_module()
class LabelMaps(FilesBeside):
    """``map_path``, of an image whose values are classes of pixels.

    ``LoadLabelMap`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'map_path'


@DATASETS.register_module()
class MaskFiles(FilesBeside):
    """``mask_path``, of an image that is white where there is a hole.

    ``LoadMask`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'mask_path'


@DATASETS.register_module()
class ReferenceFiles(FilesBeside):
    """``ref_path``, of an image that the image is like.

    ``LoadReference`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'ref_path'


@DATASETS.register_module()
class FeatureFiles(FilesBeside):
    """``features_path``, of an array that another encoder has made.

    ``LoadFeatures`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'features_path'

    def __init__(self, folder: str, suffix: str = '.npy') -> None:
        super().__init__(folder, suffix)
