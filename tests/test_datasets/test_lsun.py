import io
import sys

import pytest
from PIL import Image

from mmldm.datasets import LSUN, lsun
from mmldm.datasets.transforms import LoadImage


def webp(level):
    file = io.BytesIO()
    Image.new('RGB', (4, 2), (level, 0, 0)).save(file, 'WEBP', lossless=True)
    return file.getvalue()


def load(folder, **kwargs):
    return LSUN(
        str(folder), pipeline=[LoadImage()], serialize_data=False, **kwargs
    )


def test_images_come_in_order_of_their_keys(tmp_path, database):
    module = database({b'b': webp(2), b'a': webp(1), b'\xff': webp(3)})
    samples = list(load(tmp_path))
    assert [s['img'][0, 0, 0] for s in samples] == [1, 2, 3]
    assert samples[0]['img_path'] == f'{tmp_path}/61'
    [(path, options)] = module.opened
    assert path == str(tmp_path)
    assert options['readonly'] and not options['lock']


def test_every_process_opens_it_for_itself(tmp_path, database, monkeypatch):
    module = database({b'a': webp(1)})
    dataset = load(tmp_path)
    dataset[0], dataset[0]
    monkeypatch.setattr(lsun.os, 'getpid', lambda: 0)
    dataset[0]
    assert len(module.opened) == 2


def test_train_and_val_share_the_images(tmp_path, database):
    database({bytes([i]): webp(i) for i in range(100)})
    parts = [
        {int(s['img'][0, 0, 0]) for s in load(tmp_path, split=split)}
        for split in ('train', 'val')
    ]
    assert sorted(parts[0] | parts[1]) == list(range(100))
    assert not parts[0] & parts[1]


def test_a_folder_without_database_is_refused(tmp_path):
    with pytest.raises(ValueError, match='has no data.mdb: give the folder'):
        load(tmp_path)


def test_an_empty_or_broken_database_is_refused(tmp_path, database):
    database({})
    with pytest.raises(ValueError, match='holds no images'):
        load(tmp_path)
    database(None)
    with pytest.raises(ValueError, match=r'is not an LMDB \(not a database'):
        load(tmp_path)


def test_a_missing_package_is_named(tmp_path, database, monkeypatch):
    database({})
    monkeypatch.setitem(sys.modules, 'lmdb', None)
    with pytest.raises(ValueError, match='pip install lmdb'):
        load(tmp_path)


def test_a_damaged_image_is_named(tmp_path, database):
    database({b'a': webp(1)[:10]})
    with pytest.raises(ValueError, match='cannot be read.*/61'):
        load(tmp_path)[0]
