"""Reconstructions, judged batch by batch as a test does."""

import logging

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger

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
def judge():
    """What a metric says of samples that come in batches of a size."""

    def judge(metric, samples, batch_size=2):
        evaluator = Evaluator(metric)
        for i in range(0, len(samples), batch_size):
            evaluator.process(samples[i : i + batch_size])
        return evaluator.evaluate(size=len(samples))

    return judge


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
