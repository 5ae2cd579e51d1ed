"""The controls of a page that change a picture of the visitor."""

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from mmldm.datasets.image_files import read_header
from mmldm.models.editors import LatentDiffusion

from .conditions import (
    Control,
    make_upload,
    mask_board,
    mask_reader,
    own_size,
    picture_reader,
)
from .limits import Limits

# Fields of models that take pictures themselves.
PICTURES = ('gt_img', 'mask', 'img_lq', 'gt_sem_seg')
STRENGTH = 0.6


def make_edits(model: LatentDiffusion, limits: Limits) -> list[Control]:
    """A picture to start from, how much of it to change, and where.

    Args:
        model: The model; there are no controls for one that takes pictures.
        limits: Bounds of the page.
    """
    if {*PICTURES}.intersection(model.conditioner.reads):
        return []
    with gr.Accordion('Start from a picture', open=False, elem_id='edit'):
        upload = make_upload('Picture', 'image')
        strength = gr.Slider(
            0.05,
            1,
            value=STRENGTH,
            step=0.05,
            label='Strength: how much to change, unless a part is painted',
        )
        board = mask_board(upload, limits)
    return [
        Control('image', upload, picture_reader('image', limits)),
        Control('strength', strength),
        Control('mask', board, mask_reader(limits, needed=False)),
    ]


def edited(
    model: LatentDiffusion, values: Mapping[str, Any], limits: Limits
) -> dict[str, Any]:
    """Arguments of an edit; none without a picture.

    Args:
        model: The model, to whose size the picture is scaled.
        values: Those of the controls, by argument.
        limits: Bounds of the page, also of the scaled picture.

    Raises:
        ValueError: If the picture is so narrow that it would become too
            large.
    """
    if values.get('image') is None:
        return {}
    size = min(own_size(model))
    header = read_header(values['image'])
    sides = header.height, header.width
    height, width = (size * side // min(sides) for side in sides)
    limits.check_picture('image, scaled for the model,', (height, width))
    if values['mask'] is None:
        more = dict(edit='vary', strength=values['strength'])
    else:
        more = dict(edit='inpaint', mask=values['mask'])
    return dict(more, image=values['image'], size=size)


def read(controls: Sequence[Control], values: Sequence[Any]) -> dict[str, Any]:
    """Values of controls, by argument.

    Raises:
        ValueError: If a value is invalid; names the argument.
    """
    return {
        control.argument: control.read(value)
        for control, value in zip(controls, values, strict=True)
    }
