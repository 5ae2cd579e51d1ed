"""Entries that a second start takes from the first one's index."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from mmldm.datasets import (
    FolderClasses,
    ImageFolder,
    ImageShards,
    image_dataset,
    image_folder,
    image_shards,
)
from mmldm.datasets.transforms import LoadImage


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """An index of any number of entries, in a folder of its own."""
    monkeypatch.setattr(image_dataset, 'LEAST_INDEXED', 1)
    monkeypatch.setenv('MMLDM_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'indices'


@pytest.fixture
def shards(tmp_path):
    folder = tmp_path / 'shards'
    folder.mkdir()
    with tarfile.open(folder / '0.tar', 'w') as shard:
        for i in range(3):
            for name, content in ((f'{i}.png', png(i)), (f'{i}.txt', b'it')):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                shard.addfile(member, io.BytesIO(content))
        shard.addfile(tarfile.TarInfo('odd.xyz'), io.BytesIO(b''))
    return folder


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(('cat', 'dog')):
        path = tmp_path / 'folder' / name / f'{i}.png'
        path.parent.mkdir(parents=True)
        path.write_bytes(png(i))
    return tmp_path / 'folder'


def png(level):
    file = io.BytesIO()
    Image.new('RGB', (4, 2), (level, 0, 0)).save(file, 'PNG')
    return file.getvalue()


def load(root, **kwargs):
    return ImageShards(str(root), [LoadImage()], **kwargs)


@pytest.fixture
def no_reading(monkeypatch):
    """Lets every reading of headers fail, once it is called."""

    def no_reading():
        def fail(*_):
            raise AssertionError('headers were read')

        monkeypatch.setattr(image_shards, '_entries', fail)
        monkeypatch.setattr(image_folder.ImageFolder, 'list_entries', fail)

    return no_reading


def test_a_second_start_reads_no_header(shards, no_reading, warnings_told):
    first = load(shards)
    said = warnings_told()
    no_reading()
    second = load(shards)
    assert len(second) == 3
    for one, two in zip(first, second, strict=True):
        assert (one['img'] == two['img']).all()
        keys = ('captions', 'img_path', 'address', 'sample_idx')
        assert [one[k] for k in keys] == [two[k] for k in keys]
    assert len(said) == 1 and '.xyz' in said[0]
    assert warnings_told() == said * 2


def test_samples_of_one_entry_share_it(shards, no_reading):
    assert len(load(shards, samples_per_entry=2)) == 6
    no_reading()
    assert len(load(shards)) == 3
    again = load(shards, samples_per_entry=2)
    assert [item['source_idx'] for item in again] == [0, 0, 1, 1, 2, 2]


@pytest.fixture
def warnings_told(monkeypatch):
    """What data sets have logged."""
    from mmldm.datasets import report

    lines = []
    monkeypatch.setattr(
        report, 'print_log', lambda line, **_: lines.append(line)
    )
    return lambda: [*lines]


def test_an_index_holds_for_the_same_files_only(shards, no_reading):
    load(shards)
    shard = shards / '0.tar'
    stat = shard.stat()
    no_reading()
    os.utime(shard, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(AssertionError, match='headers were read'):
        load(shards)
    os.utime(shard, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    load(shards)
    (shards / '1.tar').write_bytes(shard.read_bytes())
    with pytest.raises(AssertionError, match='headers were read'):
        load(shards)


@pytest.mark.parametrize(
    'arguments', [dict(split='train'), dict(strict=True), dict(size=8)]
)
def test_an_index_holds_for_the_same_arguments_only(
    shards, no_reading, arguments
):
    load(shards)
    no_reading()
    with pytest.raises(AssertionError, match='headers were read'):
        load(shards, **arguments)


def test_a_damaged_index_is_made_anew(shards, cache):
    load(shards)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.unlink()
    file.write_bytes(whole[:40])
    assert len(load(shards)) == 3
    assert file.read_bytes() == whole


def test_classes_are_kept(folder, no_reading):
    def classes():
        return ImageFolder(
            str(folder), [LoadImage()], annotations=[FolderClasses()]
        )

    first = classes()
    no_reading()
    second = classes()
    assert second.metainfo['classes'] == first.metainfo['classes']
    assert [s['gt_label'] for s in second] == [0, 1]


def test_annotations_in_files_have_no_index(folder, cache):
    (folder / 'captions.csv').write_text('file_name,caption\ncat/0.png,a\n')
    from mmldm.datasets import Captions

    annotations = [Captions('captions.csv')]
    ImageFolder(str(folder), [LoadImage()], annotations=annotations)
    assert not cache.exists()


def test_a_part_of_the_data_has_no_index(shards, cache):
    assert len(load(shards, indices=2)) == 2
    assert not cache.exists()


def test_a_folder_that_cannot_be_written_to_is_named(
    shards, monkeypatch, tmp_path, caplog
):
    (tmp_path / 'file').touch()
    monkeypatch.setenv('MMLDM_CACHE', str(tmp_path / 'file'))
    assert len(load(shards)) == 3
    assert not Path(tmp_path / 'file' / 'indices').exists()
