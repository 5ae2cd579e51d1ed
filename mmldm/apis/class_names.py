"""Names of a model's classes: where they come from, and their numbers."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from torch import nn

from mmldm.models.conditioners.class_names import (
    imagenet_names,
    read_class_names,
)
from mmldm.models.editors import LatentDiffusion

# ImageNet's folders; their order is that of its class names.
SYNSET = re.compile(r'n\d{8}')
NUM_SHOWN = 5


def trained_names(checkpoint: Mapping[str, Any]) -> Sequence[str]:
    """The names of the classes that a training's data set had, if any.

    Args:
        checkpoint: Content of a training checkpoint, or weights.
    """
    meta = checkpoint.get('meta')
    data = meta.get('dataset_meta') if isinstance(meta, Mapping) else None
    names = data.get('classes') if isinstance(data, Mapping) else None
    return names if isinstance(names, list | tuple) else ()


def keep_class_names(
    config: dict[str, Any], model: nn.Module, names: Sequence[str]
) -> None:
    """Give a model and its config the names of its data set's classes.

    Names that the config states take precedence, and names that do not suit
    the model are left out.
    """
    conditioner = getattr(model, 'conditioner', None)
    counts = getattr(conditioner, 'class_counts', {})
    if not names or not counts or conditioner.class_names is not None:
        return
    with suppress(ValueError):
        conditioner.class_names = read_class_names([*names], counts)
        config['conditioner']['class_names'] = [*names]


def class_names(model: LatentDiffusion) -> tuple[str, ...]:
    """The names of a model's classes, in order; () if it has none."""
    names = model.conditioner.class_names or ()
    return imagenet_names() if _are_synsets(names) else names


def class_number(
    model: LatentDiffusion, label: Any, argument: str = 'label'
) -> Any:
    """The number of a class.

    Args:
        model: The model.
        label: Name of a class, in letters of any case, or its number; a text
            of digits is a name if there is such a name. Everything else is
            returned unchanged.
        argument: What users call it.

    Raises:
        ValueError: If no class or several classes have the name; similar
            names are given.
    """
    if not isinstance(label, str):
        return label
    names = class_names(model)
    known = _numbers_by_name(names)
    if _are_synsets(model.conditioner.class_names or ()):
        known |= _numbers_by_name(model.conditioner.class_names)
    numbers = known.get(_plain(label), set())
    if len(numbers) == 1:
        return next(iter(numbers))
    if numbers:
        listed = ' and '.join(map(str, sorted(numbers)))
        raise ValueError(
            f'{argument}={label!r} is the name of the classes {listed}: give '
            'a number'
        )
    if label.isascii() and label.isdigit():
        return int(label)
    raise ValueError(
        f'{argument}={label!r} is unknown, {_remedy(model, label)}'
    )


def _remedy(model: LatentDiffusion, label: str) -> str:
    """Similar names, or the numbers of classes."""
    names = class_names(model)
    counts = model.conditioner.class_counts
    _, count = counts.get('gt_label', counts.get('layout', ('', None)))
    numbers = 'a number' if count is None else f'0 to {count - 1}'
    if not names:
        return f'expected {numbers}: this model has no names of its classes'
    known = _numbers_by_name(names)
    # A part of a longer name, as 'cat' of 'tabby cat', and other spellings.
    near = [name for name in known if _plain(label) in name]
    near += get_close_matches(_plain(label), known, NUM_SHOWN)
    near = [*dict.fromkeys(near)][:NUM_SHOWN]
    if near:
        return f'did you mean {" or ".join(map(repr, near))}?'
    few = ', '.join(names[:NUM_SHOWN])
    return f'expected {numbers}, or a name, such as {few}'


def _numbers_by_name(names: Sequence[str]) -> dict[str, set[int]]:
    """Numbers of the classes with each name, in plain spelling.

    Synonyms are separated by commas, as in 'tabby, tabby cat'.
    """
    found: dict[str, set[int]] = {}
    for number, name in enumerate(names):
        for synonym in (name, *name.split(',')):
            found.setdefault(_plain(synonym), set()).add(number)
    return found


def _plain(name: str) -> str:
    return ' '.join(name.replace('_', ' ').casefold().split())


def _are_synsets(names: Sequence[str]) -> bool:
    """Whether classes are named by the folders of ImageNet's 1000 classes."""
    return len(names) == 1000 and all(map(SYNSET.fullmatch, names))
