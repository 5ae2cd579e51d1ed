"""Reconstructions, and what the log warns of."""

import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MMLogger

from mmldm.evaluation import real_images
from mmldm.structures import LDMDataSample


@pytest.fixture
def reconstruction():
    """Builds a data sample of an image and what was made of it."""

    def build(image, original):
        sample = LDMDataSample()
        sample.pred_img, sample.gt_img = image, original
        return sample

    return build


@pytest.fixture
def random_reconstructions(reconstruction):
    """Builds samples of random images with random errors."""

    def build(count, size):
        originals = torch.randint(200, (count, 3, size, size))
        images = originals + torch.randint(55, originals.shape)
        return [
            reconstruction(image.byte(), original.byte())
            for image, original in zip(images, originals, strict=True)
        ]

    return build


@pytest.fixture
def warnings_of(caplog):
    """The lines that mmengine's logger has warned with."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield lambda: [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.WARNING
    ]
    logger.removeHandler(caplog.handler)


@pytest.fixture
def real_set(monkeypatch):
    """Makes every data set of real images have the given ones."""
    builds = []

    def give(images):
        real = [dict(inputs=image) for image in images]

        def build(config):
            builds.append(config)
            return real

        real_images.forget()
        monkeypatch.setattr(
            real_images, 'DATASETS', SimpleNamespace(build=build)
        )
        return builds

    yield give
    real_images.forget()
