"""Requests, batch by batch."""

import logging
from collections.abc import Callable, Iterator, Sequence

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmldm.diffusion import NoiseLevel
from mmldm.diffusion.solvers import Denoise
from mmldm.engine.generation_loop import GROUP
from mmldm.models.editors import LatentDiffusion
from mmldm.structures import LDMDataSample
from mmldm.utils import check_count
from mmldm.utils.memory import check_images_fit
from mmldm.utils.same_rounding import same_rounding

from .batch_size import fitting_batch_size
from .requests import Request

Progress = Callable[[int, Tensor], None]
Wrap = Callable[[Denoise], Denoise]
Samples = Sequence[LDMDataSample]
# Gives data samples their ``pred_img``.
Make = Callable[[LatentDiffusion, Samples, Wrap | None], Samples]


def predicted(
    model: LatentDiffusion, samples: Samples, wrap: Wrap | None
) -> Samples:
    """Data samples with the images that a model generates from noise."""
    return model.predict(None, samples, wrap)


def generated(
    model: LatentDiffusion,
    requests: Sequence[Request],
    batch_size: int | None,
    callback: Progress | None,
    make: Make = predicted,
    exact: bool = False,
) -> Iterator[LDMDataSample]:
    """The images of requests, one after the other.

    On a GPU without enough memory the batch is halved, which the log says.

    Args:
        model: The model, which samples as wanted.
        requests: The images.
        batch_size: Images at a time; None for what fits.
        callback: Called with the number of the evaluation and its estimate.
        make: Makes the images of a batch.
        exact: See :func:`exactly`.

    Yields:
        Data samples with ``pred_img``, uint8 RGB (3, H, W).
    """
    if not requests:
        return
    if batch_size is None:
        batch_size = fitting_batch_size(
            model, requests[0], len(requests), make
        )
    check_count('batch_size', batch_size)
    if exact and next(model.parameters()).device.type == 'cpu':
        batch_size, make = GROUP, exactly(make)
    place = 0
    while place < len(requests):
        batch = _of_one_size(requests[place : place + batch_size])
        height, width = batch[0].size
        check_images_fit('batch_size', len(batch), height * width)
        samples = [request.data_sample() for request in batch]
        try:
            yield from make(model, samples, watched(callback))
        except torch.cuda.OutOfMemoryError:
            if len(batch) == 1:
                raise
            batch_size = len(batch) // 2
            print_log(
                f'the GPU has too little memory for {len(batch)} images '
                f'at a time: batch_size={batch_size} is used',
                'current',
                logging.WARNING,
            )
            continue
        place += len(batch)


def exactly(make: Make) -> Make:
    """Make images whose bits depend on their requests alone, on a CPU.

    Kernels round by the number of images and of threads. Here a batch is
    filled up to eight images, and one thread computes, as in
    ``tools/test.py``.
    """

    def made(
        model: LatentDiffusion, samples: Samples, wrap: Wrap | None
    ) -> Samples:
        lacking = GROUP - len(samples)
        filled = [*samples, *(samples[-1].clone() for _ in range(lacking))]
        with same_rounding(next(model.parameters()).device):
            return make(model, filled, wrap)[: len(samples)]

    return made


def _of_one_size(requests: Sequence[Request]) -> Sequence[Request]:
    """The first requests that want images of one size."""
    count = 1
    while count < len(requests) and requests[count].size == requests[0].size:
        count += 1
    return requests[:count]


def watched(callback: Progress | None) -> Wrap | None:
    """Wraps ``denoise`` so that a function hears of every evaluation."""
    if callback is None:
        return None
    if not callable(callback):
        raise ValueError(
            f'callback={callback!r} must be a function of the number of the '
            'evaluation and its estimate'
        )
    count = 0

    def wrap(denoise: Denoise) -> Denoise:
        def observed(z_t: Tensor, level: NoiseLevel) -> Tensor:
            nonlocal count
            z_0 = denoise(z_t, level)
            count += 1
            callback(count, z_0)
            return z_0

        return observed

    return wrap
