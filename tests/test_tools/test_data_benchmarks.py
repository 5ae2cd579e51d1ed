"""Parts of the benchmarks of data, on small sizes."""

import io
import json

import cv2
import numpy as np


def test_photographs_have_the_size_and_detail_of_photographs(
    load_benchmark, tmp_path
):
    """Half of the size keeps most of the variance, unlike that of noise."""
    (path,) = load_benchmark('photographs').write_photographs(
        tmp_path / 'a', 1, 60, 80
    )
    image = cv2.imread(str(path)).astype(np.float32)
    assert image.shape == (60, 80, 3)
    half = cv2.resize(image, (40, 30), interpolation=cv2.INTER_AREA)
    assert half.var() > 0.7 * image.var()


def test_a_start_reads_the_index(
    load_benchmark, tmp_path, monkeypatch, capsys
):
    from mmldm.datasets.entry_index import FOLDER, write_index

    start = load_benchmark('data_start')
    monkeypatch.setenv(FOLDER, str(tmp_path / 'cache'))
    monkeypatch.setattr(start, 'SHARDS', 2)
    start.write_shards(tmp_path)
    shards = start.data_set(str(tmp_path / 'shards'))
    entries = start.entries(shards, 12_000)
    write_index(shards._index_file(), entries, ([], None))
    monkeypatch.setenv(start.CHILD, str(tmp_path / 'shards'))
    start.main()
    found = json.load(io.StringIO(capsys.readouterr().out))
    assert found['images'] == 12_000
