"""A folder of images with annotations."""

import os
from collections.abc import Mapping, Sequence
from inspect import isclass
from pathlib import Path
from typing import Any

from mmldm.registry import DATASETS
from mmldm.utils.typing import ConfigType

from .annotations import Annotations, LargeImages
from .file_search import files_below
from .files_beside import FilesBeside
from .folder_classes import FolderClasses
from .image_dataset import ImageDataset
from .image_files import fits, read_header
from .image_formats import SUFFIXES
from .image_search import find_images

# Annotations that the images' own names and files determine.
OF_NAMES = (FolderClasses, LargeImages)


@DATASETS.register_module()
class ImageFolder(ImageDataset):
    """All images below a folder, in the order of their names.

    Files of every kind that Pillow reads are taken, except hidden ones, whose
    names start with a dot.

    Args:
        data_root: The folder, searched recursively; see
            :class:`ImageDataset`.
        pipeline: Transforms.
        images: The folder below ``data_root`` that has the images, if other
            folders have annotations.
        annotations: Sources of fields, each an ``Annotations`` such as
            ``FolderClasses``, ``Captions``, ``CocoBoxes`` or ``LabelMaps``.
            Images that lack one of them are left out.
        kwargs: ``size``, ``split`` and ``strict`` of :class:`ImageDataset`,
            and the arguments of mmengine's ``BaseDataset``.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: See :class:`ImageDataset`.
    """

    def __init__(
        self,
        data_root: str | None,
        pipeline: list,
        images: str = '',
        annotations: Sequence[Annotations | ConfigType] = (),
        **kwargs,
    ) -> None:
        self.images = images
        self.annotations = [
            _build(f'{type(self).__name__}.annotations.{i}', annotation)
            for i, annotation in enumerate(annotations)
        ]
        super().__init__(data_root, pipeline, **kwargs)

    def index_key(self) -> Any:
        """See :class:`ImageDataset`; annotations in files have no index."""
        if all(isinstance(a, OF_NAMES) for a in self.annotations):
            own = [[type(a).__name__, vars(a)] for a in self.annotations]
            return [self.images, own]
        return None

    def indexed_files(self) -> list[str]:
        """See :class:`ImageDataset`."""
        folder = str(Path(self.data_root) / self.images)
        if not Path(folder).is_dir():
            return []  # refused when it is read
        return sorted(files_below(folder, SUFFIXES))

    def list_entries(self) -> list[dict]:
        """See :class:`ImageDataset`."""
        folder = Path(self.data_root) / self.images
        if not folder.is_dir():
            raise FileNotFoundError(
                f'images={self.images!r} is not a folder of data_root='
                f'{self.data_root!r}: set images to the folder of the '
                'images, or data_root to the folder above it'
            )
        paths = find_images(
            str(folder), f'data_root={str(folder)!r}', self.report
        )
        images = {
            Path(os.path.relpath(path, folder)).as_posix(): path
            for path in paths
        }
        entries = {name: dict(img_path=path) for name, path in images.items()}
        for annotations in self.annotations:
            annotations.report = self.report
            fields = annotations.read(self.data_root, images)
            entries = self._annotated(entries, annotations, fields)
        return list(entries.values())

    def _annotated(
        self,
        entries: dict[str, dict],
        annotations: Annotations,
        fields: dict[str, dict],
    ) -> dict[str, dict]:
        """The entries that have annotations, with these added."""
        name = type(annotations).__name__
        if annotations.classes is not None:
            self._metainfo['classes'] = tuple(annotations.classes)
        kept = {
            image: {**entry, **fields[image]}
            for image, entry in entries.items()
            if image in fields
        }
        if not kept:
            raise ValueError(
                f'{name} has no annotation for any of the {len(entries)} '
                f'images below {Path(self.data_root) / self.images}, such as '
                f'{next(iter(entries))}{self.report.reasons()}'
            )
        if annotations.silence != 'counted':
            chosen = annotations.silence == 'choice'
            count = self.report.note if chosen else self.report.defect
            what = f'images are left out, as {name} has no entry for them'
            for image in sorted(entries.keys() - kept):
                count(what, image)
        return kept

    def sound_entries(self, entries: list[dict]) -> list[dict]:
        """See :class:`ImageDataset`; annotation files are checked too."""
        entries = super().sound_entries(entries)
        for annotations in self.annotations:
            if isinstance(annotations, FilesBeside):
                entries = annotations.sound(entries)
        return [entry for entry in entries if self._fits(entry)]

    def _fits(self, entry: Mapping) -> bool:
        """Whether an image can be the annotated one; count it if not."""
        shape = entry.get('annotated_shape')
        if shape is None:
            return True
        path = entry['img_path']
        header = read_header(path)
        sides = header.height, header.width
        if fits(sides, shape):
            return True
        self.report.defect(
            'images have other proportions than their annotations and are '
            'left out',
            f'{path} is {sides[0]}x{sides[1]}, not {shape[0]}x{shape[1]}',
            'use the original images',
        )
        return False


def _build(key: str, annotations: object) -> Annotations:
    """Build an entry of the list ``annotations``.

    Raises:
        ValueError: If it is not a dict whose type is a class of annotations.
    """
    if isinstance(annotations, Annotations):
        return annotations
    kinds = {
        name: kind
        for name, kind in DATASETS.module_dict.items()
        if isclass(kind) and issubclass(kind, Annotations)
    }
    kind = annotations.get('type') if isinstance(annotations, dict) else None
    if kind not in kinds and kind not in kinds.values():
        raise ValueError(
            f'{key}={annotations!r} must be a dict with a type that is one '
            f'of {", ".join(sorted(kinds))}'
        )
    return DATASETS.build(annotations)
