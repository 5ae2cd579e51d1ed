import ctypes

import pytest

from mmldm.utils import memory


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), 'mallopt'), reason='of glibc'
)
def test_the_c_library_takes_both_settings():
    assert memory.keep_freed_memory()


@pytest.mark.parametrize('refused', [-1, -4])
def test_a_setting_that_the_c_library_refuses_is_said(monkeypatch, refused):
    """malloc.h: M_TRIM_THRESHOLD is -1, M_MMAP_MAX -4; 0 says no."""
    calls = []

    class Glibc:
        @staticmethod
        def mallopt(parameter, value):
            calls.append((parameter, value))
            return int(parameter != refused)

    monkeypatch.setattr(memory.ctypes, 'CDLL', lambda name: Glibc)
    assert not memory.keep_freed_memory()
    # No mapping of its own for any block; nothing is trimmed.
    assert {*calls} <= {(-4, 0), (-1, -1)}


def test_without_glibc_nothing_is_done(monkeypatch):
    monkeypatch.setattr(memory.ctypes, 'CDLL', lambda name: object())
    assert not memory.keep_freed_memory()
