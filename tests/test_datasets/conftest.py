"""A stand-in of the package lmdb, which is optional."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from mmldm.datasets import lsun


class FakeLMDB(ModuleType):
    """As much of the package as is used, of a dict."""

    class Error(Exception):
        pass

    def __init__(self, content):
        super().__init__('lmdb')
        self.content = content
        self.opened = []

    def open(self, path, **options):
        if self.content is None:
            raise self.Error('not a database')
        self.opened.append((path, options))
        return SimpleNamespace(begin=self.begin)

    def begin(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def cursor(self):
        return SimpleNamespace(
            iternext=lambda keys, values: iter(sorted(self.content))
        )

    def get(self, key):
        return self.content[key]


@pytest.fixture
def database(tmp_path, monkeypatch):
    """Writes what the fake package reads."""

    def database(content):
        (tmp_path / 'data.mdb').touch()
        module = FakeLMDB(content)
        monkeypatch.setitem(sys.modules, 'lmdb', module)
        lsun._open.cache_clear()
        return module

    yield database
    lsun._open.cache_clear()
