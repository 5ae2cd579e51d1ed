"""Generated images, with the settings that reproduce them."""

import math
from collections.abc import Mapping
from typing import Any

from PIL import Image

from mmldm.diffusion import Sampling
from mmldm.diffusion.guidance import Guidance
from mmldm.structures import LDMDataSample

from .requests import ARGUMENTS, Request

SETTINGS = 'mmldm'


def to_picture(
    sample: LDMDataSample, settings: Mapping[str, Any]
) -> Image.Image:
    """The generated image, with its settings in ``info``."""
    array = sample.pred_img.permute(1, 2, 0).cpu().numpy()
    picture = Image.fromarray(array)
    picture.info[SETTINGS] = dict(settings)
    return picture


def settings_of(request: Request, sampling: Mapping[str, Any]) -> dict:
    """Arguments of a call that reproduces an image, as JSON has them.

    Pictures and other arrays that were given are left out.

    Args:
        request: The image.
        sampling: How it was sampled, and edited.
    """
    fields = {ARGUMENTS.get(k, k): v for k, v in request.fields.items()}
    for value in request.negative.values():
        fields['negative'] = value
    found = dict(
        fields,
        size=request.size,
        seed=request.seed,
        number=request.number,
        **sampling,
    )
    plain = {name: _plain(value) for name, value in found.items()}
    return {name: value for name, value in plain.items() if value is not None}


def _plain(value: Any) -> Any:
    """A value as JSON has it; None for one that has no such form."""
    if hasattr(value, 'item') and getattr(value, 'ndim', 1) == 0:
        value = value.item()  # a number of NumPy
    if isinstance(value, float) and math.isinf(value):
        return None  # the end of an interval
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Sampling):
        return _plain(value.settings)
    if isinstance(value, Guidance):
        return _plain(Sampling(guidance=value).settings['guidance'])
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None
