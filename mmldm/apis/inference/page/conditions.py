"""The controls of a page that say what images show."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from mmldm.apis.class_names import class_names as names_of_classes
from mmldm.datasets.image_files import read_header, read_image
from mmldm.models.conditioners.class_names import NAMED
from mmldm.models.editors import LatentDiffusion
from mmldm.utils.image_size import height_and_width

from .board import canvas, make_board, read_boxes, read_paint
from .limits import LONGEST_PROMPT, Limits

DEFAULT_SIZE = 256  # pixels, of a model that does not know its own
SHOWN = 512  # pixels of the longer side of a picture below a board


@dataclass(frozen=True)
class Control:
    """A component, and the argument that it sets.

    Args:
        argument: That of the inferencer's call.
        component: A gradio component.
        read: Value of the component -> value of the argument.
    """

    argument: str
    component: Any
    read: Callable[[Any], Any] = lambda value: value


def make_upload(label: str, elem_id: str) -> gr.Image:
    """An uploaded picture as a file, which only our own reader opens."""
    upload = gr.Image(
        label=label,
        elem_id=elem_id,
        type='filepath',
        image_mode=None,
        sources=['upload', 'clipboard'],
        buttons=[],
        height=180,
    )
    # Not in a subclass, for which gradio would write a file beside this one.
    upload.preprocess = lambda payload: payload and payload.path
    return upload


def own_size(model: LatentDiffusion) -> tuple[int, int]:
    """Height and width of a model's images, pixels."""
    return height_and_width(model.image_size or DEFAULT_SIZE)


def class_names(model: LatentDiffusion, field: str) -> list[str]:
    """Names of the classes of a field; numbers of those that have none."""
    _, count = model.conditioner.class_counts.get(field, ('', 0))
    numbers = [*map(str, range(count))]
    names = names_of_classes(model) if field in NAMED else ()
    return [*names, *numbers[len(names) :]]


def make_conditions(model: LatentDiffusion, limits: Limits) -> list[Control]:
    """The controls of everything that a model reads.

    Args:
        model: The model.
        limits: Bounds of the page.

    Raises:
        ValueError: If the model reads a field that has no control.
    """
    controls = []
    for field in model.conditioner.reads:
        if field == 'mask':
            continue  # made with its image
        if field not in MAKERS:
            raise ValueError(
                f'the model reads {field}, for which a page has no control: '
                'use tools/sample.py or LatentDiffusionInferencer'
            )
        controls += MAKERS[field](model, limits)
    return controls


def _label(model: LatentDiffusion, limits: Limits) -> list[Control]:
    names = class_names(model, 'gt_label')
    choices = [(name, label) for label, name in enumerate(names)]
    if not choices:
        return [Control('label', gr.Number(0, label='Class', precision=0))]
    return [Control('label', gr.Dropdown(choices, value=0, label='Class'))]


def _prompt(model: LatentDiffusion, limits: Limits) -> list[Control]:
    box = gr.Textbox(
        label='Prompt',
        lines=2,
        max_length=LONGEST_PROMPT,
        placeholder='what the images show',
        elem_id='prompt',
    )
    return [Control('prompt', box)]


def _layout(model: LatentDiffusion, limits: Limits) -> list[Control]:
    gr.Markdown('**Layout**')
    board = make_board(
        'boxes',
        class_names(model, 'layout'),
        own_size(model),
        'Choose a class and draw its box with the mouse.',
        elem_id='layout',
    )
    return [Control('layout', board, read_boxes)]


def _map(model: LatentDiffusion, limits: Limits) -> list[Control]:
    gr.Markdown('**Map of classes**')
    board = make_board(
        'paint',
        class_names(model, 'gt_sem_seg'),
        own_size(model),
        'Choose a class and paint; Fill gives it to all pixels.',
        elem_id='map',
    )

    def read(drawn: str) -> np.ndarray | None:
        return read_paint('map', drawn, limits.side)

    return [Control('map', board, read)]


def _image(model: LatentDiffusion, limits: Limits) -> list[Control]:
    """The image to change, and a board on it for the mask."""
    upload = make_upload('Image', 'image')
    board = mask_board(upload, limits)
    return [
        Control('image', upload, picture_reader('image', limits)),
        Control('mask', board, mask_reader(limits)),
    ]


def mask_board(upload: gr.Image, limits: Limits) -> gr.HTML:
    """A board on which the hole in an uploaded picture is painted."""
    board = make_board(
        'paint',
        ['keep', 'fill'],
        (0, 0),
        'Paint over what is to be filled.',
        elem_id='mask',
    )
    upload.change(
        lambda path: below_board(path, limits),
        [upload],
        [board],
        show_progress='hidden',
        api_visibility='private',
    )
    return board


def below_board(path: str | None, limits: Limits) -> gr.HTML:
    """A board with a picture below, of the picture's size."""
    try:
        picture_reader('image', limits)(path)
        array = read_image(path)
    except (OSError, ValueError, TypeError):
        # No picture, or none that is accepted, which drawing will say.
        return gr.HTML(canvas=canvas((0, 0)))
    picture = data_url(Image.fromarray(array))
    return gr.HTML(canvas=canvas(array.shape[:2], picture))


def data_url(picture: Image.Image) -> str:
    """A picture as a URL, reduced to what a board shows."""
    picture.thumbnail((SHOWN, SHOWN))
    content = io.BytesIO()
    picture.save(content, 'png')
    return 'data:image/png;base64,' + base64.b64encode(
        content.getvalue()
    ).decode('ascii')


def _low_res(model: LatentDiffusion, limits: Limits) -> list[Control]:
    factor = model.autoencoder.factor
    upload = make_upload(
        f'Low-resolution image, to be enlarged {factor} times', 'low-res'
    )
    most = Limits(side=max(1, limits.side // factor))
    return [Control('low_res', upload, picture_reader('low_res', most))]


def _like(model: LatentDiffusion, limits: Limits) -> list[Control]:
    files = gr.File(
        label='Images to resemble',
        file_count='multiple',
        file_types=['image'],
        type='filepath',
    )
    read = picture_reader('like', limits)

    def read_all(paths: Sequence[str] | None) -> list[str] | None:
        return [read(path) for path in paths or ()] or None

    return [Control('like', files, read_all)]


def picture_reader(
    name: str, limits: Limits
) -> Callable[[str | None], str | None]:
    """A function that checks the size of a file before it is decoded."""

    def read(path: str | None) -> str | None:
        if path is not None:
            header = read_header(path)
            limits.check_picture(name, (header.height, header.width))
        return path

    return read


def mask_reader(
    limits: Limits, needed: bool = True
) -> Callable[[str | None], np.ndarray | None]:
    """A function that makes a mask from what was painted.

    Args:
        limits: Bounds of the page.
        needed: Whether a mask without a hole is refused; else it is None.
    """

    def read(drawn: str | None) -> np.ndarray | None:
        painted = read_paint('mask', drawn, limits.side)
        if painted is None or painted.any():
            return None if painted is None else painted.astype(np.uint8)
        if needed:
            raise ValueError('mask is empty: paint over what is to be filled')
        return None

    return read


MAKERS = {
    'gt_label': _label,
    'caption': _prompt,
    'layout': _layout,
    'gt_sem_seg': _map,
    'gt_img': _image,
    'img_lq': _low_res,
    'ref_imgs': _like,
}
