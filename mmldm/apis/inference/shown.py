"""What an edit was given and what it made, in one picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmldm.visualization import assemble, write_image

from .given import SIDES, canvas_of, hole_of, picture_of

SMALLEST = 256  # pixels that the picture is high at least
GREY = 128


def given_panels(edit: str, arguments: Mapping[str, Any]) -> list[np.ndarray]:
    """What an edit starts from, uint8 RGB (H, W, 3) each.

    Args:
        edit: Name of the edit, such as 'inpaint', which also shows the
            picture without the part to fill.
        arguments: Its arguments.
    """
    image, size = arguments['image'], arguments.get('size')
    if edit == 'inpaint':
        where = arguments.get('mask'), arguments.get('box')
        given, hole = hole_of(image, *where, size)
        panels = [given, _without(given, hole)]
    elif edit == 'outpaint':
        padding = {side: arguments.get(side, 0) for side in SIDES}
        panels = [_without(*canvas_of(picture_of(image, size), padding))]
    else:
        panels = [picture_of(image, size)]
    return [panel.permute(1, 2, 0).numpy() for panel in panels]


def _without(given: Tensor, hole: Tensor) -> Tensor:
    """A picture (3, H, W), grey where the hole (1, H, W) is 1."""
    return torch.where(hole.bool(), GREY, given).to(torch.uint8)


def write_edit(
    before: Sequence[np.ndarray], after: Sequence[Image.Image], out: Path
) -> None:
    """Write every result, and the side-by-side picture.

    Args:
        before: See :func:`given_panels`; enlarged to the height of a result
            if an edit enlarges.
        after: Results of the edit.
        out: File of the picture; results are OUT_0.png ... beside it.
    """
    results = [np.asarray(image) for image in after]
    for i, image in enumerate(results):
        write_image(image, out.with_name(f'{out.stem}_{i}.png'))
    before = [
        _enlarged(image, max(1, results[0].shape[0] // len(image)))
        for image in before
    ]
    strip = assemble([[*before, *results]])
    write_image(_enlarged(strip, -(-SMALLEST // len(strip))), out)


def _enlarged(image: np.ndarray, factor: int) -> np.ndarray:
    return np.kron(image, np.ones((factor, factor, 1), np.uint8))
