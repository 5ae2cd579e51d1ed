"""The checkpoint that a training wrote last."""

import os

import pytest
import torch

from mmldm.utils.checkpoint import read_checkpoint
from mmldm.utils.newest_checkpoint import is_cut_off, newest_checkpoint


@pytest.fixture
def write(tmp_path):
    """Writes a checkpoint of some age in seconds, cut off if asked."""

    def write(name, age, cut=False):
        path = tmp_path / name
        torch.save(dict(name=name, weight=torch.ones(100)), path)
        if cut:
            path.write_bytes(path.read_bytes()[:-50])
        os.utime(path, (10**9 - age, 10**9 - age))
        return path

    return write


def test_without_checkpoints_there_is_no_newest(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    assert newest_checkpoint(tmp_path / 'missing') is None


def test_of_one_time_the_largest_number_counts(write, tmp_path):
    for name in (
        'iter_9.pth',
        'iter_10.pth',
        'iter_11.pth.tmp',
        'iter_best.pth',
        'epoch_12.pth',
    ):
        write(name, age=0)
    assert newest_checkpoint(tmp_path) == tmp_path / 'iter_10.pth'


def test_without_a_record_the_time_counts(write, tmp_path):
    """A second, shorter training may use the directory."""
    write('iter_9.pth', age=5)
    later = write('iter_2.pth', age=1)
    assert newest_checkpoint(tmp_path) == later


def test_a_record_counts_more_than_a_clock(write, tmp_path, caplog):
    """The clock was set back, or all files were copied."""
    newest = write('iter_4.pth', age=100)
    write('iter_2.pth', age=1)
    record = tmp_path / 'last_checkpoint'
    record.write_text('/another/place/iter_4.pth')
    assert newest_checkpoint(tmp_path) == newest
    record.write_text('/another/place/iter_6.pth')  # removed since
    assert newest_checkpoint(tmp_path).name == 'iter_2.pth'


@pytest.fixture
def told(monkeypatch):
    """What the log says."""
    lines = []
    monkeypatch.setattr(
        'mmldm.utils.newest_checkpoint.print_log',
        lambda text, **_: lines.append(text),
    )
    return lines


def test_a_newer_file_than_the_recorded_is_told(write, tmp_path, told):
    write('iter_4.pth', age=100)
    write('iter_2.pth', age=1)
    (tmp_path / 'last_checkpoint').write_text('iter_4.pth')
    newest_checkpoint(tmp_path)
    assert len(told) == 1
    assert 'names iter_4.pth, which is used, though iter_2.pth' in told[0]


@pytest.mark.parametrize('recorded', [True, False])
def test_what_is_cut_off_is_passed_over_and_told(
    write, tmp_path, told, recorded
):
    write('iter_1.pth', age=3)
    whole = write('iter_2.pth', age=2)
    write('iter_3.pth', age=1, cut=True)
    if recorded:
        (tmp_path / 'last_checkpoint').write_text('iter_3.pth')
    assert newest_checkpoint(tmp_path) == whole
    assert len(told) == 1
    assert 'iter_3.pth' in told[0]
    assert 'cut off: iter_2.pth is used' in told[0]
    assert read_checkpoint(tmp_path)['name'] == 'iter_2.pth'


def test_where_all_are_cut_off_nothing_is_begun_anew(write, tmp_path):
    write('iter_1.pth', age=3, cut=True)
    (tmp_path / 'iter_2.pth').touch()
    with pytest.raises(ValueError, match='iter_2.pth, iter_1.pth.*copy them'):
        newest_checkpoint(tmp_path)


def test_files_of_old_versions_of_torch_are_whole(tmp_path):
    """They are pickles, not archives."""
    path = tmp_path / 'iter_1.pth'
    torch.save(dict(a=1), path, _use_new_zipfile_serialization=False)
    assert not is_cut_off(path)
    assert newest_checkpoint(tmp_path) == path


def test_what_a_running_training_removes_is_not_missed(
    write, tmp_path, monkeypatch
):
    """It writes another one first."""
    old = write('iter_1.pth', age=1)

    def is_cut_off_at_first(path):
        if path == old:
            write('iter_2.pth', age=0)
            old.unlink()
        return is_cut_off(path)

    monkeypatch.setattr(
        'mmldm.utils.newest_checkpoint.is_cut_off', is_cut_off_at_first
    )
    assert newest_checkpoint(tmp_path).name == 'iter_2.pth'


@pytest.mark.parametrize('content', [bytes(500), b'', b'garbage' * 50])
def test_what_holds_no_checkpoint_is_passed_over(write, tmp_path, content):
    """A file of zeros is what a power cut leaves."""
    whole = write('iter_1.pth', age=2)
    path = write('iter_2.pth', age=1)
    path.write_bytes(content)
    assert is_cut_off(path)
    assert newest_checkpoint(tmp_path) == whole
