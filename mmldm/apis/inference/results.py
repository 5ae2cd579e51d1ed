"""Generated images, with the settings that reproduce them."""

from collections.abc import Mapping
from typing import Any

from PIL import Image

from mmldm.structures import LDMDataSample

from .requests import Request

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
    """Everything that reproduces an image, but pictures that were given.

    Args:
        request: The image.
        sampling: How it was sampled, and edited.
    """
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
