"""demo/app.py, up to the page."""

import importlib.util
import sys
from pathlib import Path

import pytest
from mmengine.config import ConfigDict

from mmldm.utils.model_file import write_model_file

SCRIPT = Path(__file__).parents[2] / 'demo' / 'app.py'


@pytest.fixture
def app(monkeypatch):
    """The script, called with arguments."""
    spec = importlib.util.spec_from_file_location('app', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def app(*arguments):
        monkeypatch.setattr(sys, 'argv', ['app.py', *map(str, arguments)])
        module.main()

    app.module = module
    return app


def test_flags_reach_the_page(
    app, tiny_ldm, ldm_config, tmp_path, monkeypatch
):
    pytest.importorskip('gradio', reason='the page needs mmldm[app]')
    from mmldm.apis.inference.page import page

    served = []

    class Page(page.Page):
        def launch(self, host, port):
            served.append((self, host, port))
            return 'http://here'

        def wait(self):
            self.studio.close()

    monkeypatch.setattr(page, 'Page', Page)
    path = tmp_path / 'shapes.safetensors'
    config = ConfigDict(ldm_config(image_size=8)).to_dict()
    write_model_file(path, tiny_ldm().state_dict(), config)
    app(path, '--port', 7999, '--most-images', 3, '--most-steps', 9)
    app(path, '--host', '0.0.0.0', '--most-side', 32, '--most-waiting', 1)
    (first, *address), (second, *other) = served
    assert address == ['127.0.0.1', 7999] and other == ['0.0.0.0', 7860]
    assert (first.limits.images, first.limits.steps) == (3, 9)
    assert (second.limits.side, second.limits.waiting) == (32, 1)
    assert 'shapes' in first.blocks.title


def test_an_adapter_reaches_the_model(app, tiny_ldm, ldm_config, tmp_path):
    pytest.importorskip('gradio', reason='the page needs mmldm[app]')
    path = tmp_path / 'shapes.safetensors'
    config = ConfigDict(ldm_config(image_size=8)).to_dict()
    write_model_file(path, tiny_ldm().state_dict(), config)
    with pytest.raises(FileNotFoundError, match='no_style'):
        app(path, '--adapter', 'no_style.safetensors:0.5')


def test_without_gradio_it_says_what_to_install(app, monkeypatch):
    monkeypatch.setattr(app.module, 'find_spec', lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'mmldm\[app\]'"):
        app('model')


def test_a_port_that_cannot_be_is_refused(app):
    with pytest.raises(ValueError, match='--port=70000 must be in'):
        app('model', '--port', 70000)
