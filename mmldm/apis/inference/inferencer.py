"""Images from a trained model, from Python."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor

from mmldm.diffusion import NoiseLevel, Sampling
from mmldm.diffusion.solvers import Denoise
from mmldm.models.editors import LatentDiffusion
from mmldm.structures import LDMDataSample
from mmldm.utils import check_count

from ..models import init_model
from .requests import Request, check_fields, read_fields, size_of

Progress = Callable[[int, Tensor], None]
SETTINGS = 'mmldm'


class LatentDiffusionInferencer:
    """Generates images with a latent diffusion model.

    ::

        generate = LatentDiffusionInferencer('work_dirs/quickstart/ldm')
        images = generate(label=[3, 7], num=4, seed=0, steps=20)
        images[0].save('three.png')

    An image depends on its seed, its number and its conditions alone: neither
    on the batch size nor on the images beside it. Calls do not change the
    model: several threads may use it with other settings at the same time.

    Args:
        model: A source of :func:`mmldm.apis.init_model`: work directory,
            published file, converted folder, or config; or a model.
        checkpoint: The weights, if ``model`` is a config.
        device: Device; None for the GPU if there is one.

    Raises:
        FileNotFoundError, ValueError: If the model cannot be read, or is no
            latent diffusion model.
    """

    def __init__(
        self,
        model: str | Path | LatentDiffusion,
        checkpoint: str | Path | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        if not isinstance(model, torch.nn.Module):
            model = init_model(model, checkpoint, device)
        if not isinstance(model, LatentDiffusion):
            raise ValueError(
                f'model is a {type(model).__name__}, expected a '
                'LatentDiffusion: give another model'
            )
        self.model = model

    @property
    def reads(self) -> tuple[str, ...]:
        """Fields of data samples that the model needs."""
        return tuple(self.model.conditioner.reads)

    def __call__(
        self,
        num: int = 1,
        seed: int = 0,
        size: int | tuple[int, int] | None = None,
        negative: int | str | None = None,
        sampling: Sampling | None = None,
        batch_size: int = 4,
        callback: Progress | None = None,
        return_datasamples: bool = False,
        **arguments: Any,
    ) -> list[Image.Image] | list[LDMDataSample]:
        """Generate images.

        Args:
            num: Images of each kind: of each label with each prompt.
            seed: Seed of the noise.
            size: Side, or height and width, pixels; None for that of a given
                image, or of training.
            negative: Caption or label that guidance leads away from.
            sampling: How to sample; None takes ``steps``, ``solver``,
                ``grid`` and ``guidance_scale`` from the other arguments, and
                leaves what is not given to the model's config.
            batch_size: Images at a time; it does not change them.
            callback: Called after every evaluation of the network with its
                number in the batch, from 1, and the estimate of the clean
                latents, (B, C, h, w).
            return_datasamples: Return data samples with ``pred_img``.
            arguments: ``label``, ``prompt`` (one or several of each),
                ``layout``, ``image``, ``mask``, ``low_res``, ``map``,
                ``like``, ``features`` as the model reads them, ``fields`` (a
                dict of fields of your own), and the sampling arguments;
                ``unconditional=True`` takes no condition.

        Returns:
            Images, kind after kind, whose ``info['mmldm']`` holds the
            settings that reproduce them.

        Raises:
            ValueError: If an argument is unknown, invalid, or not read by the
                model; names it.
        """
        check_count('num', num)
        own = {k: arguments.pop(k) for k in SAMPLING if k in arguments}
        if sampling is not None and own:
            raise ValueError(
                f'sampling and {", ".join(own)} are both given: give one'
            )
        sampling = sampling or Sampling.of(**own)
        asked = (num, seed, size, negative, arguments)
        requests = self.requests(*asked, sampling.unconditional)
        stream = self.stream(requests, sampling, batch_size, callback)
        samples = [*stream]
        if return_datasamples:
            return samples
        settings = sampling.settings
        return [
            to_picture(sample, _settings(request, settings))
            for sample, request in zip(samples, requests, strict=True)
        ]

    def requests(
        self,
        num: int,
        seed: int,
        size: int | tuple[int, int] | None,
        negative: int | str | None,
        arguments: Mapping[str, Any],
        unconditional: bool = False,
    ) -> list[Request]:
        """The images that a call asks for; see :meth:`__call__`.

        Raises:
            ValueError: If the model does not read exactly these arguments.
        """
        arguments = dict(arguments)
        fields = dict(arguments.pop('fields', None) or {})
        unknown = [name for name in arguments if name not in KNOWN]
        if unknown:
            raise ValueError(
                f'{unknown[0]} is unknown. Valid names: '
                f'{", ".join((*KNOWN, "fields", *SAMPLING))}'
            )
        several = {
            name: _listed(arguments.pop(name, None))
            for name in ('label', 'prompt')
        }
        fields |= read_fields(arguments)
        kinds = [
            fields | read_fields(dict(zip(several, values, strict=True)))
            for values in product(*several.values())
        ]
        for kind in kinds:
            check_fields(self.model, kind, unconditional)
        away = self._negative(negative)
        return [
            Request(kind, size_of(self.model, kind, size), seed, i, away)
            for kind in kinds
            for i in range(num)
        ]

    def stream(
        self,
        requests: Sequence[Request],
        sampling: Sampling | None = None,
        batch_size: int = 4,
        callback: Progress | None = None,
    ) -> Iterator[LDMDataSample]:
        """Generate images one after the other, in batches of equal size.

        On a GPU without enough memory the batch is halved, which the log
        says.

        Args:
            requests: The images.
            sampling: How to sample; None as in the model's config.
            batch_size: Images at a time.
            callback: See :meth:`__call__`.

        Yields:
            Data samples with ``pred_img``, uint8 RGB (3, H, W).
        """
        check_count('batch_size', batch_size)
        model = self.model.sampling_by(sampling or Sampling())
        place = 0
        while place < len(requests):
            batch = _of_one_size(requests[place : place + batch_size])
            try:
                yield from _generated(model, batch, callback)
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

    def _negative(self, negative: int | str | None) -> dict[str, Any]:
        """The field that guidance leads away from."""
        if negative is None:
            return {}
        name = 'gt_label' if isinstance(negative, int) else 'caption'
        if name not in self.reads:
            raise ValueError(
                f'negative={negative!r} is not available: the model reads '
                f'{", ".join(self.reads) or "nothing"}; leave it out'
            )
        return {name: negative}


SAMPLING = (
    *('solver', 'grid', 'steps', 'guidance_scale', 'guidance'),
    'unconditional',
)
KNOWN = (
    *('label', 'prompt', 'layout', 'image', 'mask', 'low_res', 'map'),
    *('like', 'features'),
)


def to_picture(
    sample: LDMDataSample, settings: Mapping[str, Any]
) -> Image.Image:
    """The generated image, with its settings in ``info``."""
    array = sample.pred_img.permute(1, 2, 0).cpu().numpy()
    picture = Image.fromarray(array)
    picture.info[SETTINGS] = dict(settings)
    return picture


def _settings(request: Request, sampling: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that reproduces an image, but pictures that were given."""
    plain = {
        name: value
        for name, value in request.fields.items()
        if isinstance(value, int | float | str)
    }
    return dict(
        plain,
        size=request.size,
        seed=request.seed,
        number=request.number,
        **sampling,
    )


def _listed(value: Any) -> list[Any]:
    """One value or several as a list; [None] for none."""
    return [*value] if isinstance(value, list | tuple | range) else [value]


def _of_one_size(requests: Sequence[Request]) -> Sequence[Request]:
    """The first requests that want images of one size."""
    count = 1
    while count < len(requests) and requests[count].size == requests[0].size:
        count += 1
    return requests[:count]


def _generated(
    model: LatentDiffusion,
    requests: Sequence[Request],
    callback: Progress | None,
) -> list[LDMDataSample]:
    """The images of one batch."""
    samples = [request.data_sample() for request in requests]
    wrap = None if callback is None else _watched(callback)
    return model.predict(None, samples, wrap)


def _watched(callback: Progress) -> Callable[[Denoise], Denoise]:
    """Wraps ``denoise`` so that a function hears of every evaluation."""
    count = 0

    def wrap(denoise: Denoise) -> Denoise:
        def watched(z_t: Tensor, level: NoiseLevel) -> Tensor:
            nonlocal count
            z_0 = denoise(z_t, level)
            count += 1
            callback(count, z_0)
            return z_0

        return watched

    return wrap
