"""Checks of what a call asks a model for; errors name the argument."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from mmldm.models.conditioners.layouts import check_box
from mmldm.models.editors import LatentDiffusion
from mmldm.models.editors.part_checks import check_sides
from mmldm.utils import check_divisible
from mmldm.utils.image_size import Size, check_size, height_and_width

from ..trained_sizes import warn_of_untrained_size
from .requests import argument_of

# Fields that are as large as the image, and have its position.
AS_LARGE = ('gt_img', 'mask', 'gt_sem_seg')


def check_fields(
    model: LatentDiffusion,
    given: Mapping[str, Any],
    unconditional: bool = False,
) -> None:
    """Raise unless the fields suit a model; name the argument.

    Args:
        model: The model.
        given: Fields of a data sample.
        unconditional: Whether there shall be none.

    Raises:
        ValueError: If a field is missing, invalid or not read.
    """
    if unconditional:
        if given:
            raise ValueError(
                f'{argument_of([*given][0])} has no effect with '
                'unconditional=True: omit one of them'
            )
        return
    check_reads(model, given, argument_of)
    for name, value in given.items():
        check_value(model, name, value, argument_of(name))


def check_reads(
    model: LatentDiffusion,
    given: Collection[str],
    named: Callable[[str], str],
) -> None:
    """Raise unless the given fields are exactly those that a model reads.

    Args:
        model: The model.
        given: Names of fields of data samples.
        named: What users call a field: their argument or flag.

    Raises:
        ValueError: Naming the field as users do.
    """
    reads = {*model.conditioner.reads}
    for field_name in sorted({*given} - reads):
        known = ', '.join(sorted(map(named, reads))) or 'nothing'
        raise ValueError(
            f'{named(field_name)} is unknown to this model, which reads '
            f'{known}: omit it'
        )
    for field_name in sorted(reads - {*given}):
        raise ValueError(
            f'the field {field_name} is missing: give {named(field_name)}'
        )


def check_value(
    model: LatentDiffusion, name: str, value: Any, argument: str
) -> None:
    """Raise unless the value of a field can be one that the model knows.

    Args:
        model: The model.
        name: Name of the field.
        value: Its value.
        argument: What users call it.

    Raises:
        ValueError: Naming the argument.
    """
    _, count = model.conditioner.class_counts.get(name, ('', None))
    if name == 'gt_label':
        _check_class(argument, value, count)
    elif name == 'caption':
        _check_text(argument, value)
    elif name == 'layout':
        _check_layout(argument, value, count)
    elif name == 'gt_sem_seg':
        for label in value.unique().tolist():
            _check_class(argument, label, count)


def _check_class(argument: str, label: Any, count: int | None) -> None:
    """Raise unless a label is one of ``count`` classes, or of any number."""
    whole = isinstance(label, int | np.integer) and not isinstance(label, bool)
    if not whole or not 0 <= label < (math.inf if count is None else count):
        expected = 'a whole number' if count is None else f'0 to {count - 1}'
        raise ValueError(
            f'{argument}={label!r} is unknown, expected {expected}'
        )


def _check_text(argument: str, text: Any) -> None:
    if not isinstance(text, str):
        raise ValueError(f'{argument}={text!r} must be a text')
    if not text.strip():
        raise ValueError(
            f'{argument} {text!r} is empty: give a text, or unconditional=True'
        )


def _check_layout(argument: str, layout: Any, count: int | None) -> None:
    """Raise unless a layout is a list of classes with boxes."""
    for item in layout if isinstance(layout, list | tuple) else [layout]:
        try:
            label, box = item
            numbers = [float(number) for number in box]
        except (TypeError, ValueError) as error:
            raise ValueError(
                f'{argument}: {item!r} must be (class, (x, y, w, h))'
            ) from error
        _check_class(f'{argument}: class', label, count)
        check_box(numbers, f'{argument}: the box of class {label}')


def check_sizes(
    model: LatentDiffusion, fields: Mapping[str, Any], size: tuple[int, int]
) -> None:
    """Raise unless fields and model suit the size of an image.

    A size that a model of several sizes was not trained at gives a warning.

    Args:
        model: The model.
        fields: Fields of a data sample.
        size: Height and width of the image, pixels.

    Raises:
        ValueError: Naming the argument.
    """
    check_size('size', size)
    warn_of_untrained_size(model, size)
    check_sides(
        'size', size, 'denoiser', model.denoiser, model.autoencoder.factor
    )
    for name in AS_LARGE:
        value = fields.get(name)
        if isinstance(value, Tensor) and tuple(value.shape[1:]) != size:
            height, width = value.shape[1:]
            raise ValueError(
                f'{argument_of(name)} has {width}x{height} pixels, but the '
                f'image {size[1]}x{size[0]}: give both the same size'
            )
    small = fields.get('img_lq')
    latent = tuple(-(-side // model.autoencoder.factor) for side in size)
    if small is not None and tuple(small.shape[1:]) != latent:
        raise ValueError(
            f'{argument_of("img_lq")} has {small.shape[2]}x{small.shape[1]} '
            f'pixels, but size={size} needs {latent[1]}x{latent[0]}: leave '
            'size out'
        )


def check_multiple(model: LatentDiffusion, size: Size) -> None:
    """Raise unless the first stage's factor divides both sides of a size."""
    check_size('size', size)
    for side in height_and_width(size):
        factor = model.autoencoder.factor
        check_divisible('size', side, 'the factor of the first stage', factor)


def check_whole(name: str, value: int) -> None:
    """Raise unless a seed or a number is whole, 0 or more."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not 0 <= value < 2**63:
        raise ValueError(f'{name}={value!r} must be a whole number, 0 or more')
