"""demo/quickstart.ipynb, executed with trainings of a few iterations."""

import io
import os
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
NUMBERS = 'FIRST_STAGE_ITERS, LDM_ITERS, JUDGED = 300, 600, 500'
LEAST_PICTURES = 5


@pytest.mark.slow
def test_every_cell_runs_and_shows_what_it_says(tmp_path, monkeypatch):
    nbformat = pytest.importorskip('nbformat')
    nbclient = pytest.importorskip('nbclient')
    pytest.importorskip('ipykernel', reason='cells run in ipykernel')
    paths = [str(ROOT), os.environ.get('PYTHONPATH', '')]
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv('IPYTHONDIR', str(tmp_path / 'ipython'))
    book = nbformat.read(ROOT / 'demo' / 'quickstart.ipynb', 4)
    setup = next(c for c in book.cells if NUMBERS in c.source)
    setup.source = setup.source.replace(NUMBERS[-13:], '4, 4, 20')
    nbclient.NotebookClient(
        book,
        timeout=600,
        kernel_name='python3',
        resources=dict(metadata=dict(path=str(tmp_path))),
    ).execute()
    shown = [
        np.asarray(Image.open(io.BytesIO(b64decode(data['image/png']))))
        for cell in book.cells
        for data in (o.get('data', {}) for o in cell.get('outputs', []))
        if 'image/png' in data
    ]
    assert len(shown) >= LEAST_PICTURES
    assert all(picture.std() > 1 for picture in shown)
    assert 'class_accuracy' in book.cells[-2].outputs[-1].text


def test_the_notebook_is_as_it_was_executed():
    nbformat = pytest.importorskip('nbformat')
    book = nbformat.read(ROOT / 'demo' / 'quickstart.ipynb', 4)
    code = [c for c in book.cells if c.cell_type == 'code']
    assert [c.execution_count for c in code] == [*range(1, len(code) + 1)]
    kinds = {o.output_type for c in code for o in c.outputs}
    assert 'error' not in kinds
