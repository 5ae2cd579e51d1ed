"""LSUN as it is downloaded."""

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from mmldm.registry import DATASETS

from .image_checks import Found, look
from .image_dataset import ImageDataset


@DATASETS.register_module()
class LSUN(ImageDataset):
    """Images of an LMDB such as 'church_outdoor_train_lmdb'.

    Yu et al. 2015 (arXiv:1506.03365). Each value is an image file; the order
    is that of the keys. Needs the package ``lmdb``.

    Args:
        data_root: The folder with ``data.mdb``; see :class:`ImageDataset`.
        pipeline: Transforms; ``LoadImage`` first.
        kwargs: ``size``, ``split`` and ``strict`` as of
            :class:`ImageDataset`, and those of mmengine's ``BaseDataset``.

    Raises:
        ValueError: If the folder is no LMDB, or the package is missing.
    """

    def list_entries(self) -> list[dict]:
        """See :class:`ImageDataset`; ``key`` as well."""
        if not os.path.isfile(os.path.join(self.data_root, 'data.mdb')):
            raise ValueError(
                f'data_root={self.data_root!r} has no data.mdb: give the '
                'folder of an LMDB, such as church_outdoor_train_lmdb'
            )
        with _open(self.data_root, os.getpid()).begin() as transaction:
            keys = [*transaction.cursor().iternext(keys=True, values=False)]
        if not keys:
            raise ValueError(f'{self.data_root} holds no images')
        return [
            dict(img_path=os.path.join(self.data_root, key.hex()), key=key)
            for key in keys
        ]

    def look_at(self, entries: Sequence[dict]) -> list[Found]:
        """See :class:`ImageDataset`."""
        # Buffers: of each value only the pages are read that are looked at.
        with _open(self.data_root, os.getpid()).begin(buffers=True) as values:
            return [
                _look(entry['img_path'], values.get(entry['key']))
                for entry in entries
            ]

    def content(self, entry: dict) -> bytes:
        """See :class:`ImageDataset`."""
        with _open(self.data_root, os.getpid()).begin() as transaction:
            return transaction.get(entry['key'])

    def get_data_info(self, idx: int) -> dict:
        """The entry with ``img_bytes``, the image file."""
        info = super().get_data_info(idx)
        info['img_bytes'] = self.content(info)
        return info


def _look(path: str, value: bytes | memoryview) -> Found:
    """What is found of an image, whose file a value is."""
    return look(
        path,
        len(value),
        lambda first, length: bytes(value[first : first + length]),
    )


# An environment must not be used by a process that was forked off, and none
# may be opened twice by one.
@cache
def _open(path: str, process: int) -> Any:
    """The environment of an LMDB, read only, for a process."""
    try:
        import lmdb
    except ImportError as error:
        raise ValueError(
            f'{path} is an LMDB, for which a package is missing: '
            'pip install lmdb'
        ) from error
    try:
        return lmdb.open(
            path, readonly=True, lock=False, readahead=False, meminit=False
        )
    except lmdb.Error as error:
        raise ValueError(f'{path} is no LMDB ({error})') from error
