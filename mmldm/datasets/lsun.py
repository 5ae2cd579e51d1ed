"""LSUN in its published form, an LMDB."""

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

    Yu et al. 2015 (arXiv:1506.03365). Each value is an image file, and the
    keys give the order. The package ``lmdb`` is required.

    Args:
        data_root: The folder with ``data.mdb``; see :class:`ImageDataset`.
        pipeline: Transforms; ``LoadImage`` first.
        kwargs: ``size``, ``split`` and ``strict`` of :class:`ImageDataset`,
            and the arguments of mmengine's ``BaseDataset``.

    Raises:
        ValueError: If the folder is not an LMDB, or the package is missing.
    """

    def list_entries(self) -> list[dict]:
        """See :class:`ImageDataset`; adds ``key``."""
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
        # Buffers: only those pages of a value are read that are accessed.
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
    """The findings about an image file that is a value of the LMDB."""
    return look(
        path,
        len(value),
        lambda first, length: bytes(value[first : first + length]),
    )


# A forked process must not use its parent's environment, and a process must
# not open an environment twice.
@cache
def _open(path: str, process: int) -> Any:
    """The environment of an LMDB, read-only, one for each process."""
    try:
        import lmdb
    except ImportError as error:
        raise ValueError(
            f'the package lmdb, which reads {path}, is missing: '
            'pip install lmdb'
        ) from error
    try:
        return lmdb.open(
            path, readonly=True, lock=False, readahead=False, meminit=False
        )
    except lmdb.Error as error:
        raise ValueError(f'{path} is not an LMDB ({error})') from error
