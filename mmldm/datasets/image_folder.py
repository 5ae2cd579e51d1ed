"""Any folder of images, and what is said about them."""

import os
from collections.abc import Sequence
from inspect import isclass
from pathlib import Path

from mmldm.registry import DATASETS
from mmldm.utils.typing import ConfigType

from .annotations import Annotations, FilesBeside, report_left_out
from .image_dataset import ImageDataset
from .image_files import SUFFIXES, check_files, files_below


@DATASETS.register_module()
class ImageFolder(ImageDataset):
    """All PNG, JPEG and WebP images below a folder, in order of their names.

    Every file's end is looked at before training starts, so that one cut off
    is known then and not days later.

    Args:
        data_root: The folder, searched recursively; see
            :class:`ImageDataset`.
        pipeline: Transforms.
        images: The folder below ``data_root`` that has the images, where
            others have annotations.
        annotations: What is said about them, each an ``Annotations`` such as
            ``FolderClasses``, ``Captions``, ``CocoBoxes`` or ``LabelMaps``.
            Images of which one says nothing are left out.
        kwargs: ``size`` and ``split`` as of :class:`ImageDataset`, and those
            of mmengine's ``BaseDataset``.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no images, or damaged ones, or annotations
            are wrong; the entry is named.
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

    def list_entries(self) -> list[dict]:
        """See :class:`ImageDataset`."""
        folder = Path(self.data_root) / self.images
        if not folder.is_dir():
            raise FileNotFoundError(
                f'images={self.images!r} is not a folder of data_root='
                f'{self.data_root!r}: set images to that of the images, or '
                'data_root to the folder above it'
            )
        paths = sorted(files_below(str(folder), SUFFIXES))
        if not paths:
            raise ValueError(
                f'data_root={str(folder)!r} holds no images (files ending '
                f'in {", ".join(SUFFIXES)}, in any subfolder)'
            )
        images = {
            Path(os.path.relpath(path, folder)).as_posix(): path
            for path in paths
        }
        entries = {name: dict(img_path=path) for name, path in images.items()}
        for annotations in self.annotations:
            fields = annotations.read(self.data_root, images)
            entries = self._annotated(entries, annotations, fields)
        return list(entries.values())

    def _annotated(
        self,
        entries: dict[str, dict],
        annotations: Annotations,
        fields: dict[str, dict],
    ) -> dict[str, dict]:
        """The images of which something is said, and that."""
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
                f'{name} says nothing about any of the {len(entries)} images '
                f'below {Path(self.data_root) / self.images}, such as '
                f'{next(iter(entries))}'
            )
        report_left_out(
            len(entries) - len(kept),
            len(entries),
            f'images are left out, as {name} says nothing of them',
            entries.keys() - kept,
        )
        return kept

    def check_entries(self, entries: list[dict]) -> None:
        """See :class:`ImageDataset`."""
        check_files([entry['img_path'] for entry in entries])
        for annotations in self.annotations:
            if isinstance(annotations, FilesBeside):
                annotations.check_files(entries)


def _build(key: str, annotations: object) -> Annotations:
    """What an entry of the list ``annotations`` describes.

    Raises:
        ValueError: If it is no dict with a type that is one of them.
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
