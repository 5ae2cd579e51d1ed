"""A data set in the making, and a stand-in of lmdb, which is optional."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest
from PIL import Image

from mmldm.datasets import ImageFolder, lsun, report


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

    def begin(self, buffers=False):
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


@pytest.fixture
def folder(tmp_path):
    """A data set in the making."""

    def image(name, height=4, width=8):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (width, height)).save(path)

    def text(name, content):
        if not isinstance(content, str):
            content = json.dumps(content)
        (tmp_path / name).write_text(content)

    def load(*annotations, pipeline=(), **kwargs):
        # Serializing collects garbage: half a second a dataset.
        return ImageFolder(
            str(tmp_path),
            images='images',
            pipeline=list(pipeline),
            annotations=annotations,
            serialize_data=False,
            **kwargs,
        )

    def values(key, *annotations, **kwargs):
        """By name of the image."""
        return {
            sample['img_path'].split('images/')[1]: sample[key]
            for sample in load(*annotations, **kwargs)
        }

    image('a.png')
    image('b/c.png')
    return SimpleNamespace(
        path=tmp_path, image=image, text=text, load=load, values=values
    )


@pytest.fixture
def told(monkeypatch):
    """(level, message) of what is logged about data."""
    lines = []
    monkeypatch.setattr(
        report,
        'print_log',
        lambda text, logger, level: lines.append((level, text)),
    )
    return lines
