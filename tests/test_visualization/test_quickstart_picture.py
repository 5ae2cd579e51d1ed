"""The picture of README, and of the quickstart, has a row a class."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from mmldm.registry import DATASETS
from mmldm.visualization.grid import GAP, choose, rows_of
from mmldm.visualization.shown_samples import labels_of

ROOT = Path(__file__).parents[2]
SIDE, ROWS, COLUMNS = 32, 10, 10


@pytest.fixture(scope='module')
def tiles():
    """Of README's picture, grey, (rows, columns, SIDE, SIDE)."""
    path = ROOT / 'docs/en/_static/quickstart_samples.png'
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    step = SIDE + GAP
    assert picture.shape == (ROWS * step + GAP, COLUMNS * step + GAP)
    cells = picture[GAP:, GAP:].reshape(ROWS, step, COLUMNS, step)
    return cells[:, :SIDE, :, :SIDE].swapaxes(1, 2)


def test_the_quickstart_draws_a_grid_of_this_shape():
    """From its config: what it asks for, and how many it shows."""
    cfg = Config.fromfile(
        ROOT / 'configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
    )
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'size': SIDE})
    labels = labels_of(dataset)
    chosen = choose(labels, cfg.default_hooks.visualization.num_images)
    shown = sorted(labels[i] for i in chosen)
    rows = rows_of(shown)
    assert [len(row) for row in rows] == [COLUMNS] * ROWS
    assert [{shown[i] for i in row} for row in rows] == [
        {digit} for digit in range(10)
    ]


def test_every_row_of_the_picture_is_one_digit(tiles):
    digits = load_digits()
    judge = SVC(gamma=0.001).fit(digits.data, digits.target)
    small = np.array(
        [
            cv2.resize(tile, (8, 8), interpolation=cv2.INTER_AREA)
            for tile in tiles.reshape(-1, SIDE, SIDE)
        ]
    )
    found = judge.predict(small.reshape(len(small), -1) / 255 * 16)
    assert (found.reshape(ROWS, COLUMNS) == np.arange(ROWS)[:, None]).all()
