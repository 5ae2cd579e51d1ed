"""Images and texts from tar files."""

from collections.abc import Sequence
from typing import Any

from mmldm.registry import DATASETS
from mmldm.utils.remote_files import is_remote, remote_files

from .captions import sound_captions
from .file_search import files_below
from .image_checks import Found, Stored, look_at_all
from .image_dataset import ImageDataset
from .report import DataReport
from .shard_files import open_shard
from .shard_index import Places, ShardIndex
from .text_files import decode, parse_json
from .threads import in_threads_counted

# Bytes; a larger file is not taken for a text.
LONGEST = 2**20


@DATASETS.register_module()
class ImageShards(ImageDataset):
    """Images in tar files, as WebDataset and img2dataset write them.

    The files of a sample share their name up to the first dot: an image, and
    ``.txt`` with a caption, ``.cls`` with a class or ``.json``. Headers and
    texts are read first. After that, any sample can be read by itself, and
    training shuffles and resumes as with other data sets. All tar files below
    the folder are taken, also through links to other disks. Samples that lack
    a file which others have, damaged samples and those with an empty caption
    are left out and counted.

    Args:
        data_root: The folder; see :class:`ImageDataset`. Also a URL that
            fsspec reads: a folder, such as ``s3://BUCKET/FOLDER``, or files
            of a web server, ``https://SERVER/{0000..0099}.tar``.
        pipeline: Transforms; ``LoadImage`` first. Captions come as
            ``captions``, classes as ``gt_label``.
        caption_key: Key of the caption, or of a list of captions, in the
            ``.json``; None reads the ``.txt``.
        kwargs: ``size``, ``split`` and ``strict`` of :class:`ImageDataset`,
            and the arguments of mmengine's ``BaseDataset``.

    Raises:
        ValueError: If there are no tar files, or no usable sample in them.
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
        """See :class:`ImageDataset`; adds ``shard``, and places in it."""
        others: list[str] = []
        shards = self._shards(self.report, others)
        for path in others:
            if path.lower().endswith(('.tar.gz', '.tgz', '.tar.zst')):
                self.report.defect(
                    'compressed tar files are left out', path, 'unpack them'
                )
        if not shards:
            raise ValueError(
                f'data_root={self.data_root!r} has no tar files'
                f'{self.report.reasons()}'
            )
        parts = in_threads_counted(_entries, shards, self.report)
        entries = [entry for part in parts for entry in part]
        if not entries:
            raise ValueError(
                f'{len(shards)} tar files below {self.data_root} hold no '
                f'images{self.report.reasons()}'
            )
        return self._complete(entries)

    def _shards(self, report: DataReport, others: list[str]) -> list[str]:
        """The tar files, in order; other files are appended to a list."""
        if is_remote(self.data_root):
            return remote_files(self.data_root, '.tar')
        return sorted(files_below(self.data_root, ('.tar',), report, others))

    def has_root(self, data_root: str) -> bool:
        """See :class:`ImageDataset`; servers are asked later."""
        return is_remote(data_root) or super().has_root(data_root)

    def index_key(self) -> Any:
        """See :class:`ImageDataset`."""
        return self.caption_key or ''

    def indexed_files(self) -> list[str]:
        """See :class:`ImageDataset`."""
        return self._shards(DataReport(type(self).__name__), [])

    def _complete(self, entries: list[dict]) -> list[dict]:
        """The samples that have every kind of text that others have."""
        owners = {
            kind: entry['img_path']
            for entry in entries
            for kind in entry['places']
            if kind != '.json' or self.caption_key is not None
        }
        if self.caption_key is not None:
            owners['.json'] = 'every sample with a caption_key'
            owners.pop('.txt', None)
        kept = []
        for entry in entries:
            missing = [k for k in owners if k not in entry['places']]
            if not missing:
                kept.append(entry)
                continue
            kind = missing[0]
            self.report.defect(
                f'samples have no {kind} and are left out',
                f'{entry["img_path"]} has no {kind}, which {owners[kind]} has',
            )
        return kept

    def sound_entries(self, entries: list[dict]) -> list[dict]:
        """See :class:`ImageDataset`; the texts are checked too."""
        sound = in_threads_counted(self._has_sound_texts, entries, self.report)
        kept = [e for e, good in zip(entries, sound, strict=True) if good]
        return super().sound_entries(kept)

    def look_at(self, entries: Sequence[dict]) -> list[Found]:
        """See :class:`ImageDataset`."""
        return look_at_all(
            [
                Stored(e['img_path'], e['shard'], *e['places']['image'])
                for e in entries
            ]
        )

    def content(self, entry: dict) -> bytes:
        """See :class:`ImageDataset`."""
        return _read(entry['shard'], entry['places'], 'image')

    def get_data_info(self, idx: int) -> dict:
        """The entry with ``img_bytes``, ``captions`` and ``gt_label``."""
        info = super().get_data_info(idx)
        info['img_bytes'] = self.content(info)
        info.update(self._texts(info, DataReport(info['img_path'])))
        del info['shard'], info['places']
        return info

    def _has_sound_texts(self, entry: dict, report: DataReport) -> bool:
        """Whether the texts of a sample are valid; count it if not."""
        before = DataReport(entry['img_path'])
        try:
            texts = self._texts(entry, before)
        except (OSError, ValueError) as error:
            report.defect(
                'samples have broken texts and are left out', str(error)
            )
            return False
        if texts.get('captions') == []:
            report.defect(
                'samples have no caption, or an empty one, and are left out',
                '; '.join(before.lines()),
            )
            return False
        return True

    def _texts(self, entry: dict, report: DataReport) -> dict:
        """``captions`` and ``gt_label`` of a sample, if it has them.

        Raises:
            ValueError: If they cannot be read.
        """
        found: dict[str, Any] = {}
        name, shard, places = (
            entry[key] for key in ('img_path', 'shard', 'places')
        )
        if self.caption_key is not None:
            captions = self._of_json(_read(shard, places, '.json'), name)
            found['captions'] = sound_captions(captions, name, report)
        elif '.txt' in places:
            text = decode(_read(shard, places, '.txt'), f'the .txt of {name}')
            found['captions'] = sound_captions(text, name, report)
        if '.cls' in places:
            found['gt_label'] = _class(_read(shard, places, '.cls'), name)
        return found

    def _of_json(self, content: bytes, name: str) -> Any:
        """The value under ``caption_key`` in a sample's ``.json``."""
        record = parse_json(content, f'the .json of {name}')
        if not isinstance(record, dict) or self.caption_key not in record:
            raise ValueError(
                f'the .json of {name} has no {self.caption_key!r}: set '
                'caption_key of ImageShards'
            )
        return record[self.caption_key]


def _entries(path: str, report: DataReport) -> list[dict]:
    return ShardIndex(path, report).entries()


def _read(shard: str, places: Places, kind: str) -> bytes:
    """The bytes of a sample's file.

    Raises:
        ValueError: If a text is longer than ``LONGEST``.
    """
    start, size = places[kind]
    if kind != 'image' and size > LONGEST:
        raise ValueError(f'a {kind} in {shard} has {size} > {LONGEST} bytes')
    with open_shard(shard) as file:
        file.seek(start)
        return file.read(size)


def _class(content: bytes, name: str) -> int:
    try:
        return int(content)
    except ValueError as error:
        raise ValueError(
            f'the .cls of {name} is {content[:20]!r}, expected a number'
        ) from error
