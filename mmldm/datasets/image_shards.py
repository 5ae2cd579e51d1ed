"""Images and texts in tar files."""

import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from mmldm.registry import DATASETS

from .captions import check_captions
from .image_dataset import ImageDataset
from .image_files import SUFFIXES, files_below
from .text_files import decode

TEXTS = ('.txt', '.json', '.cls')
END_MARK = bytes(tarfile.BLOCKSIZE)


@DATASETS.register_module()
class ImageShards(ImageDataset):
    """Images in tar files, as WebDataset and img2dataset write them.

    Files of one sample have one name and follow each other: an image, and
    ``.txt`` with a caption, ``.cls`` with a class or ``.json``. The headers
    are read first, so that any sample can be read by itself: training draws
    and resumes as with other data sets. All tar files below the folder are
    taken, through links also, as where they lie on several disks.

    Args:
        data_root: The folder; see :class:`ImageDataset`.
        pipeline: Transforms; ``LoadImage`` first. Captions come as
            ``captions``, classes as ``gt_label``.
        caption_key: Of the caption or a list of them in the ``.json``; None
            for the ``.txt``.
        kwargs: ``size`` and ``split`` as of :class:`ImageDataset`, and those
            of mmengine's ``BaseDataset``.

    Raises:
        ValueError: If there are no tar files, one is damaged, or a sample
            lacks what others have; it is named.
    """

    def __init__(
        self,
        data_root: str | None,
        pipeline: list,
        caption_key: str | None = None,
        **kwargs,
    ) -> None:
        self.caption_key = caption_key
        super().__init__(data_root, pipeline, **kwargs)

    def list_entries(self) -> list[dict]:
        """See :class:`ImageDataset`; ``shard``, and places in it."""
        shards = sorted(files_below(self.data_root, ('.tar',)))
        if not shards:
            raise ValueError(f'data_root={self.data_root!r} has no tar files')
        with ThreadPoolExecutor(8) as pool:
            entries = [
                entry for part in pool.map(_index, shards) for entry in part
            ]
        if not entries:
            raise ValueError(
                f'{len(shards)} tar files below {self.data_root} hold no '
                f'images (files ending in {", ".join(SUFFIXES)})'
            )
        owners = {
            kind: entry['img_path']
            for entry in entries
            for kind in entry['places']
        }
        for entry in entries:
            for kind in owners.keys() - entry['places'].keys():
                raise ValueError(
                    f'{entry["img_path"]} has no {kind}, which '
                    f'{owners[kind]} has: write the shards anew'
                )
        return entries

    def get_data_info(self, idx: int) -> dict:
        """The entry with ``img_bytes``, ``captions`` and ``gt_label``."""
        info = super().get_data_info(idx)
        contents = {}
        with open(info.pop('shard'), 'rb') as file:
            for kind, (start, size) in info.pop('places').items():
                file.seek(start)
                contents[kind] = file.read(size)
        info['img_bytes'], name = contents['image'], info['img_path']
        if self.caption_key is not None:
            info['captions'] = check_captions(
                self._of_json(contents, name), name
            )
        elif '.txt' in contents:
            text = decode(contents['.txt'], f'the .txt of {name}')
            info['captions'] = check_captions([text], name)
        if '.cls' in contents:
            info['gt_label'] = _class(contents['.cls'], name)
        return info

    def _of_json(self, contents: dict[str, bytes], name: str) -> Any:
        """What stands at the ``caption_key``; a list of a text."""
        try:
            captions = json.loads(contents.get('.json', b'null'))
            captions = captions[self.caption_key]
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f'the .json of {name} has no {self.caption_key!r} '
                f'({type(error).__name__}: {error}): set caption_key of '
                'ImageShards'
            ) from error
        return [captions] if isinstance(captions, str) else captions


def _class(content: bytes, name: str) -> int:
    try:
        return int(content)
    except ValueError as error:
        raise ValueError(
            f'the .cls of {name} is {content[:20]!r}, but must be a number'
        ) from error


def _index(path: str) -> list[dict]:
    """Samples of a tar file: where in it their files lie."""
    samples: dict[str, dict] = {}
    try:
        with tarfile.open(path, 'r:') as shard:
            for member in shard:
                if not member.isfile():
                    continue
                name = PurePosixPath(member.name)
                suffix = name.suffix.lower()
                kind = 'image' if suffix in SUFFIXES else suffix
                if kind == 'image' or kind in TEXTS:
                    key = str(name.with_suffix(''))
                    places = samples.setdefault(key, {})
                    if kind in places:
                        raise ValueError(
                            f'shard {path} has {member.name}, but {key} has '
                            f'its {kind} already: write the shard anew'
                        )
                    places[kind] = member.offset_data, member.size
            # tarfile takes a file cut off between two members for whole.
            shard.fileobj.seek(shard.offset)
            if shard.fileobj.read(len(END_MARK)) != END_MARK:
                raise tarfile.ReadError('no end mark where its files end')
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(
            f'shard {path} is damaged ({error}): download it again'
        ) from error
    for key, places in samples.items():
        if 'image' not in places:
            raise ValueError(f'{key} in {path} has no image, but {[*places]}')
    return [
        dict(img_path=str(Path(path) / key), shard=path, places=places)
        for key, places in samples.items()
    ]
