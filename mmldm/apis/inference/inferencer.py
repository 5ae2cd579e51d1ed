"""Images from a trained model, from Python."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from mmldm.diffusion import Sampling
from mmldm.models.editors import LatentDiffusion
from mmldm.structures import LDMDataSample
from mmldm.utils import check_count
from mmldm.utils.memory import check_images_fit

from ..adapters import AdapterSource
from ..class_names import class_names
from .arguments import (
    check_known,
    refuse_sampling,
    sampling_of,
    split_sampling,
)
from .batches import Progress, generated, predicted
from .checks import check_multiple, check_sizes, check_whole
from .defaults import Defaults, defaults_of
from .editing import Editing
from .edits import Edit
from .kinds import kinds_of, negative_of
from .opened import opened
from .requests import Request, size_of
from .results import settings_of, to_picture

Size = int | tuple[int, int]


class LatentDiffusionInferencer(Editing):
    """Generates and edits images with a latent diffusion model.

    ::

        generate = LatentDiffusionInferencer('work_dirs/quickstart/ldm')
        images = generate(label=[3, 7], num=4, seed=0, steps=20)
        images[0].save('three.png')
        generate.vary('three.png', strength=0.5, label=3)[0].save('other.png')

    An image depends on its seed, its number and its conditions alone: neither
    on the batch size nor on the images beside it, but for rounding. Calls do
    not change the model: several threads may use it with other settings at
    the same time.

    Args:
        model: A source of :func:`mmldm.apis.init_model`: work directory,
            published file, converted folder, or config; or a model.
        checkpoint: The weights, if ``model`` is a config.
        device: Device; None for the GPU if there is one.
        adapters: Adapters of the model that is read; see
            :func:`mmldm.apis.load_adapters`, which takes a model in memory.

    Raises:
        FileNotFoundError, ValueError: If the model or an adapter cannot be
            read, or is no latent diffusion model.
    """

    def __init__(
        self,
        model: str | Path | LatentDiffusion,
        checkpoint: str | Path | None = None,
        device: str | torch.device | None = None,
        adapters: Sequence[AdapterSource] = (),
    ) -> None:
        self.model = opened(model, checkpoint, device, adapters)

    @property
    def reads(self) -> tuple[str, ...]:
        """Fields of data samples that the model needs."""
        return tuple(self.model.conditioner.reads)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the model's classes, in order; () if it has none."""
        return class_names(self.model)

    @property
    def settings(self) -> Defaults:
        """What a call does where an argument is not given, and why.

        ``print(generate.settings)`` shows one line for each argument.
        """
        return defaults_of(self.model)

    def __call__(
        self,
        num: int = 1,
        seed: int = 0,
        size: Size | None = None,
        negative: int | str | None = None,
        sampling: Sampling | None = None,
        batch_size: int | None = None,
        callback: Progress | None = None,
        return_datasamples: bool = False,
        exact: bool = False,
        **arguments: Any,
    ) -> list[Image.Image] | list[LDMDataSample]:
        """Generate images.

        Args:
            num: Images of each kind: of each label with each prompt.
            seed: Seed of the noise, >= 0.
            size: Side, or height and width, pixels, multiples of the first
                stage's factor; None for that of a given image, or of
                training.
            negative: Caption or label that guidance leads away from.
            sampling: How to sample; None takes it from the other arguments.
                What is not given is as in the model's config.
            batch_size: Images at a time, which does not change them; None
                for 8, and on a GPU for as many as its free memory holds.
            callback: Called after every evaluation of the network with its
                number in the batch, from 1, and the estimate of the clean
                latents, (B, C, h, w).
            return_datasamples: Return data samples with ``pred_img``.
            exact: On a CPU, fill batches up to eight images and use one
                thread, so that the bits of an image depend on its request
                alone, and are those of tools/test.py. Otherwise a pixel may
                differ by one grey level.
            arguments: ``label``, by number or name (:attr:`classes`), and
                ``prompt``, one or several of each; ``layout``, ``image``,
                ``mask``, ``low_res``, ``map``, ``like``, ``features`` as the
                model reads them; ``fields``, a dict of fields of your own.
                ``unconditional=True`` takes no condition. ``strength`` with
                ``image`` starts from that image, see :meth:`vary`.
                ``number`` is that of the first image of the seed, 0. How to
                sample: ``steps``, ``solver``, ``grid`` by name or config;
                ``guidance_scale``, ``guidance_rescale``,
                ``guidance_interval`` of classifier-free guidance, or
                ``guidance``; ``window``, the side of windows for large
                images, pixels; ``dtype``, 'float16' or 'bfloat16', and
                ``compile``, see :class:`Sampling`.

        Returns:
            Images, kind after kind. ``generate(**image.info['mmldm'])`` is
            the image again, if neither a picture nor an object of
            ``mmldm.diffusion`` was given.

        Raises:
            ValueError: If an argument is unknown, invalid, or not read by the
                model; names it.
        """
        arguments |= dict(
            num=num,
            seed=seed,
            size=size,
            negative=negative,
            sampling=sampling,
            batch_size=batch_size,
            callback=callback,
            return_datasamples=return_datasamples,
            exact=exact,
        )
        strength = arguments.pop('strength', None)
        if strength is None:
            return self._run(None, **arguments)
        return self.vary(arguments.pop('image', None), strength, **arguments)

    def _run(
        self,
        edit: Edit | None,
        batch_size: int | None = None,
        callback: Progress | None = None,
        return_datasamples: bool = False,
        exact: bool = False,
        **arguments: Any,
    ) -> list[Image.Image] | list[LDMDataSample]:
        """The images of a call, which is described there.

        Args:
            edit: What makes the images; None generates them from noise.
            batch_size: See :meth:`__call__`, as for the other arguments.
            callback: See there.
            return_datasamples: See there.
            exact: See there.
            arguments: All others.
        """
        known = edit is not None  # the size is that of a picture
        requests, sampling = self.asked(any_size=known, **arguments)
        samples = [
            *self.stream(requests, sampling, batch_size, callback, edit, exact)
        ]
        if return_datasamples:
            return samples
        settings, _ = split_sampling(arguments)
        if edit is not None:
            settings |= edit.settings
        return [
            to_picture(sample, settings_of(request, settings))
            for sample, request in zip(samples, requests, strict=True)
        ]

    def asked(
        self,
        num: int = 1,
        seed: int = 0,
        size: Size | None = None,
        negative: int | str | None = None,
        number: int = 0,
        any_size: bool = False,
        **arguments: Any,
    ) -> tuple[list[Request], Sampling]:
        """The images that a call asks for, and how it samples.

        Args:
            num: See :meth:`__call__`, as for all arguments.
            seed: See there.
            size: See there.
            negative: See there.
            number: See there.
            any_size: Allow a size that is no multiple of the first stage's
                factor, as that of a given picture.
            arguments: All others.

        Raises:
            ValueError: If the model does not read exactly these arguments.
        """
        check_count('num', num)
        check_whole('seed', seed)
        check_whole('number', number)
        if size is not None and not any_size:
            check_multiple(self.model, size)
        own, arguments = split_sampling(arguments)
        sampling = sampling_of(self.model, own)
        away = negative_of(self.model, negative, sampling.unconditional)
        requests = []
        for kind in kinds_of(self.model, arguments, sampling.unconditional):
            shape = size_of(self.model, kind, size)
            check_sizes(self.model, kind, shape)
            check_images_fit('num', num, shape[0] * shape[1])
            requests += [
                Request(kind, shape, seed, number + i, away)
                for i in range(num)
            ]
            if not sampling.unconditional:
                self.model.conditioner.check(requests[-1].data_sample())
        return requests, sampling

    def stream(
        self,
        requests: Iterable[Request] | Iterable[Mapping[str, Any]],
        sampling: Sampling | None = None,
        batch_size: int | None = None,
        callback: Progress | None = None,
        edit: Edit | None = None,
        exact: bool = False,
        **own: Any,
    ) -> Iterator[Image.Image] | Iterator[LDMDataSample]:
        """Generate images one after the other, in batches of equal size.

        On a GPU without enough memory the batch is halved, which the log
        says.

        Args:
            requests: Dicts of arguments of :meth:`__call__`: conditions,
                ``num``, ``seed``, ``number``, ``size``, ``negative``. Or the
                requests of :meth:`asked`.
            sampling: See :meth:`__call__`, as for all others.
            batch_size: See there.
            callback: See there.
            edit: What makes the images; None generates them from noise.
            exact: See there.
            own: How to sample, instead of ``sampling``.

        Yields:
            Pictures for dicts, and data samples with ``pred_img``, uint8 RGB
            (3, H, W), for requests.
        """
        own, rest = split_sampling(own | dict(sampling=sampling))
        check_known(rest, ())
        requests = [*requests]
        model = self.model.sampling_by(sampling_of(self.model, own))
        way = batch_size, callback, edit or predicted, exact
        if all(isinstance(request, Request) for request in requests):
            return generated(model, requests, *way)
        for one in requests:
            refuse_sampling(one)
        asked = [r for one in requests for r in self.asked(**one)[0]]
        samples = generated(model, asked, *way)
        return (
            to_picture(sample, settings_of(request, own))
            for sample, request in zip(samples, asked, strict=True)
        )
