"""Any folder of images, and what is said about them."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log

from mmldm.registry import DATASETS
from mmldm.utils.typing import ConfigType

from .annotations import Annotations
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
            a if isinstance(a, Annotations) else DATASETS.build(a)
            for a in annotations
        ]
        super().__init__(data_root, pipeline, **kwargs)

    def list_entries(self) -> list[dict]:
        """See :class:`ImageDataset`."""
        folder = Path(self.data_root) / self.images
        if not folder.is_dir():
            raise FileNotFoundError(f'images={str(folder)!r} is not a folder')
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
        if len(kept) < len(entries):
            print_log(
                f'{len(entries) - len(kept)} of {len(entries)} images are '
                f'left out, of which {name} say nothing',
                logger='current',
                level=logging.INFO,
            )
        return kept

    def check_entries(self, entries: list[dict]) -> None:
        """See :class:`ImageDataset`."""
        check_files([entry['img_path'] for entry in entries])
