"""A tiny model behind the inferencer, and a picture to edit."""

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from PIL import Image

from mmldm.apis import LatentDiffusionInferencer
from mmldm.registry import MODELS

HOLE = dict(
    conditioner=dict(
        drop_prob=0.0, embedders=[dict(type='MaskedImage', latent_channels=4)]
    ),
    denoiser=dict(in_channels=9, context_dim=None),
    guidance=dict(_delete_=True, type='NoGuidance'),
)


@pytest.fixture
def model(tiny_ldm):
    torch.manual_seed(0)
    return tiny_ldm(image_size=8)


@pytest.fixture
def generate(model):
    return LatentDiffusionInferencer(model)


@pytest.fixture
def filler(ldm_config):
    """A model that was trained to fill holes."""
    torch.manual_seed(0)
    return LatentDiffusionInferencer(MODELS.build(ldm_config(**HOLE)).eval())


@pytest.fixture
def picture():
    """16 pixels wide, 8 high."""
    pixels = np.random.default_rng(0).integers(256, size=(8, 16, 3))
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def mask():
    """White in the right part of the picture."""
    white = np.zeros((8, 16), np.uint8)
    white[:, 10:] = 255
    return Image.fromarray(white)


@pytest.fixture
def logged(caplog):
    """The lines of mmengine's logger, as a function."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield lambda: [record.getMessage() for record in caplog.records]
    logger.removeHandler(caplog.handler)
