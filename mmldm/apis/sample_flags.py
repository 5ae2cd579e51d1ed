"""Checks of the flags of tools/sample.py, and their values for a model."""

import argparse
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mmldm.models.conditioners.layouts import check_box
from mmldm.models.editors import LatentDiffusion
from mmldm.utils import check_count, check_range
from mmldm.utils.files import check_file, check_folder_to_write

from .inference.checks import check_reads
from .inference.requests import ARGUMENTS, size_of

# Fields whose flags have other names than the arguments of Python.
OTHER_FLAGS = {'layout': '--object', 'features': '--database'}
# Field of a data sample -> flag that sets it.
FLAGS = {
    field: f'--{argument.replace("_", "-")}'
    for field, argument in ARGUMENTS.items()
} | OTHER_FLAGS


def check_args(args: argparse.Namespace) -> None:
    """Raise if flags are invalid for any model.

    Args:
        args: Arguments of tools/sample.py.

    Raises:
        ValueError: Naming the flag.
    """
    counts = ('num', 'batch_size', 'num_neighbours', 'steps', 'window')
    for name in counts:
        value = getattr(args, name)
        if value is not None:
            check_count(f'--{name.replace("_", "-")}', value)
    if args.scale is not None:
        check_range('--scale', args.scale, 0, math.inf, '; 1 is off')
    _check_size(args.size)
    check_folder_to_write('--out', args.out)
    for flag, texts in (
        ('--prompt', args.prompt or ()),
        ('--negative', () if args.negative is None else (args.negative,)),
    ):
        if not all(text.strip() for text in texts):
            raise ValueError(f"{flag} '' is empty: give a text")
    for told in args.object or ():
        _check_object(*told)
    _check_database(args)
    for path in args.like or ():
        check_file('--like', path)


def _check_size(size: Sequence[int] | None) -> None:
    if size is not None and (not 1 <= len(size) <= 2 or min(size) < 1):
        raise ValueError(
            f'--size {" ".join(map(str, size))} must be one side, or height '
            'and width, in pixels'
        )


def _check_object(label: float, *box: float) -> None:
    told = ' '.join(f'{number:g}' for number in (label, *box))
    if not label.is_integer():
        raise ValueError(f'--object {told}: the class must be a whole number')
    try:
        check_box(box, '')
    except ValueError as error:
        raise ValueError(
            f'--object {told}: X Y W H must be parts of the image, with X, Y '
            '>= 0, W, H > 0 and X + W, Y + H <= 1'
        ) from error


def _check_database(args: argparse.Namespace) -> None:
    """Raise unless --database has exactly one kind of query."""
    if args.database is None:
        for name in ('num_neighbours', 'encoder'):
            if getattr(args, name) is not None:
                flag = f'--{name.replace("_", "-")}'
                raise ValueError(f'{flag} needs --database: give both')
        return
    if (args.prompt is None) == (args.like is None):
        raise ValueError('--database: give one of --prompt and --like')
    if args.negative is not None:
        raise ValueError('--negative has no effect with --database: omit it')


def check_flags(
    model: LatentDiffusion, given: Collection[str], unconditional: bool = False
) -> None:
    """Raise unless the given fields are exactly those the model reads.

    Args:
        model: The model.
        given: Names of the given fields of data samples.
        unconditional: Value of ``--unconditional``: no fields at all.

    Raises:
        ValueError: Naming the flags.
    """
    if not unconditional:
        check_reads(model, given, _flag)
    elif given:
        raise ValueError(
            f'{_flag(min(given))} has no effect with --unconditional: omit '
            'one of them'
        )


def _flag(field: str) -> str:
    """The flag that sets a field."""
    return FLAGS.get(field, f'--field {field}=FILE')


def check_classes(
    model: LatentDiffusion,
    told: Mapping[str, Any],
    negative: Mapping[str, Any],
) -> None:
    """Raise if a class is unknown to the model.

    Args:
        model: What draws.
        told: Values of the flags, by field; ``gt_label`` is a list.
        negative: The result of :func:`negative_of`.

    Raises:
        ValueError: Naming the flag.
    """
    pixels = told.get('gt_sem_seg')
    away = negative.get('gt_label')
    counts = model.conditioner.class_counts
    for flag, field, found in (
        ('--label', 'gt_label', told.get('gt_label') or ()),
        ('--object', 'layout', [c for c, _ in told.get('layout', ())]),
        ('--map', 'gt_sem_seg', () if pixels is None else pixels.unique()),
        ('--negative', 'gt_label', () if away is None else (away,)),
    ):
        _, count = counts.get(field, ('', math.inf))
        for label in map(int, found):
            if not 0 <= label < count:
                raise ValueError(
                    f'{flag}: the class {label} is unknown, expected 0 to '
                    f'{count - 1}'
                )


def negative_of(
    model: LatentDiffusion, negative: str | None
) -> dict[str, int | str]:
    """The field of a data sample that ``--negative`` sets.

    Raises:
        ValueError: If the model reads neither a caption nor a class.
    """
    reads = model.conditioner.reads
    if negative is None:
        return {}
    if 'caption' in reads:
        return dict(caption=negative)
    if 'gt_label' not in reads:
        raise ValueError(
            f'--negative {negative} is not available for this model, which '
            'reads neither a caption nor a class: omit it'
        )
    try:
        return dict(gt_label=int(negative))
    except ValueError as error:
        raise ValueError(
            f'--negative {negative} is not a class: give its number'
        ) from error


def image_size(
    size: Sequence[int] | None,
    fields: Mapping[str, Any],
    model: LatentDiffusion,
) -> tuple[int, int]:
    """Height and width of the images to generate, pixels.

    Args:
        size: Value of ``--size``: one side, or both; None if not given.
        fields: The given fields; images among them set the size.
        model: The model.

    Raises:
        ValueError: If neither flags, fields nor model give a size.
    """
    whole = None if size is None else (size[0], size[-1])
    return size_of(model, fields, whole, '--size')
