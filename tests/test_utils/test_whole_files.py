"""Files that several writers replace at once."""

import threading

from mmldm.utils.whole_files import replaced


def test_two_threads_write_to_two_files(tmp_path):
    path = tmp_path / 'file'

    def other():
        with replaced(path) as aside:
            aside.write_text('other')

    with replaced(path) as aside:
        aside.write_text('own')
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert path.read_text() == 'other'
    assert path.read_text() == 'own'
    assert [*tmp_path.iterdir()] == [path]
