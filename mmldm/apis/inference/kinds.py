"""Fields of data samples from the conditions of a call."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from mmldm.models.editors import LatentDiffusion

from ..class_names import class_number
from .arguments import as_list, check_known
from .checks import check_fields, check_value
from .requests import read_fields


def kinds_of(
    model: LatentDiffusion, arguments: Mapping[str, Any], unconditional: bool
) -> list[dict[str, Any]]:
    """Fields of each kind of image: every label with every prompt.

    Args:
        model: The model.
        arguments: Conditions of a call.
        unconditional: Whether there shall be none.

    Raises:
        FileNotFoundError, ValueError: If a condition is unknown, missing or
            invalid; names the argument.
    """
    arguments = dict(arguments)
    fields = arguments.pop('fields', None) or {}
    if not isinstance(fields, Mapping):
        raise ValueError(
            f'fields={fields!r} must be a dict of fields of data samples'
        )
    check_known(arguments)
    several = {
        name: as_list(arguments.pop(name, None))
        for name in ('label', 'prompt')
    }
    for name, values in several.items():
        if not values:
            raise ValueError(f'{name} is an empty list: give at least one')
    several['label'] = [class_number(model, n) for n in several['label']]
    if 'layout' in arguments:
        arguments['layout'] = _numbered(model, arguments['layout'])
    fields = dict(fields) | read_fields(arguments)
    kinds = [
        fields | read_fields(dict(zip(several, values, strict=True)))
        for values in product(*several.values())
    ]
    for kind in kinds:
        check_fields(model, kind, unconditional)
    return kinds


def negative_of(
    model: LatentDiffusion,
    negative: int | str | None,
    unconditional: bool = False,
) -> dict[str, Any]:
    """The field that guidance leads away from.

    Raises:
        ValueError: If the model reads no such field, or not this value, or
            there is no condition, hence no guidance.
    """
    if negative is None:
        return {}
    if unconditional:
        raise ValueError(
            'negative has no effect with unconditional=True: omit one of them'
        )
    reads, name = model.conditioner.reads, 'caption'
    if not isinstance(negative, str) or 'caption' not in reads:
        name = 'gt_label'
    if name not in reads:
        raise ValueError(
            f'negative={negative!r} is not available: the model reads '
            f'{", ".join(reads) or "nothing"}; leave it out'
        )
    if name == 'gt_label':
        negative = class_number(model, negative, 'negative')
    check_value(model, name, negative, 'negative')
    return {name: negative}


def _numbered(model: LatentDiffusion, layout: Any) -> Any:
    """The layout with numbers in place of the names of classes."""
    if not isinstance(layout, list | tuple):
        return layout  # refused with the other values
    return [
        (class_number(model, item[0], 'layout: class'), *item[1:])
        if isinstance(item, list | tuple) and item
        else item
        for item in layout
    ]
