import os

from mmldm.utils.file_stamps import file_stamp


def test_a_file_is_known_by_size_and_time(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(b'abc')
    os.utime(path, ns=(5, 7))
    assert file_stamp(path) == file_stamp(str(path)) == (3, 7)


def test_a_part_of_an_archive_is_known_by_the_archive(tmp_path):
    path = tmp_path / 'a.tar'
    path.write_bytes(b'abcd')
    os.utime(path, ns=(5, 9))
    assert file_stamp(path / 'folder' / 'key') == (4, 9)


def test_what_is_missing_has_no_stamp(tmp_path):
    assert file_stamp(tmp_path / 'folder' / 'a.png') is None
    assert file_stamp('a\0b') is None
    assert file_stamp('') is None
