"""Checks of the flags of tools/sample.py that need no model."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmldm.models.conditioners.layouts import check_box
from mmldm.utils import check_choice, check_count, check_range
from mmldm.utils.files import check_file, check_folder_to_write
from mmldm.utils.image_store import IMAGES

from ..inference.plan import NAMES

COUNTS = ('num', 'batch_size', 'num_neighbours', 'steps', 'window', 'frames')
FILES = ('image', 'mask', 'low_res', 'map', 'rows', 'like_settings')


def check_sample_flags(flags: Mapping[str, Any]) -> None:
    """Raise if flags are invalid for any model.

    Args:
        flags: Value of each flag of :data:`SAMPLE_FLAGS`.

    Raises:
        FileNotFoundError, ValueError: Naming the flag.
    """
    for name in COUNTS:
        if flags[name] is not None:
            check_count(_flag(name), flags[name])
    if flags['scale'] is not None:
        check_range('--scale', flags['scale'], 0, math.inf, '; 1 is off')
    for name in ('seed', 'interpolate'):
        seeds = flags[name] if isinstance(flags[name], list) else [flags[name]]
        for seed in seeds:
            if seed is not None:
                check_range(_flag(name), seed, 0, 2**63 - 1)
    check_choice('--name-by', flags['name_by'], NAMES)
    _check_size(flags['size'])
    check_folder_to_write('--out', flags['out'])
    _check_texts(flags)
    for name in FILES:
        if flags[name] is not None:
            check_file(_flag(name), flags[name])
    for item in flags['object'] or ():
        _check_object(*item)
    _check_database(flags)
    _check_together(flags)
    for path in flags['like'] or ():
        check_file('--like', path)


def _flag(name: str) -> str:
    other = dict(rows='--from')
    return other.get(name) or f'--{name.replace("_", "-")}'


def _check_texts(flags: Mapping[str, Any]) -> None:
    negative = flags['negative']
    for flag, texts in (
        ('--prompt', flags['prompt'] or ()),
        ('--negative', () if negative is None else (negative,)),
    ):
        if not all(text.strip() for text in texts):
            raise ValueError(f"{flag} '' is empty: give a text")


def _check_object(label: float, *box: float) -> None:
    item = ' '.join(f'{number:g}' for number in (label, *box))
    if not label.is_integer():
        raise ValueError(f'--object {item}: the class must be a whole number')
    try:
        check_box(box, '')
    except ValueError as error:
        raise ValueError(
            f'--object {item}: X Y W H must be parts of the image, with X, Y '
            '>= 0, W, H > 0 and X + W, Y + H <= 1'
        ) from error


def _check_size(size: Sequence[int] | None) -> None:
    if size is not None and (not 1 <= len(size) <= 2 or min(size) < 1):
        raise ValueError(
            f'--size {" ".join(map(str, size))} must be one side, or height '
            'and width, in pixels'
        )


def _check_database(flags: Mapping[str, Any]) -> None:
    """Raise unless --database has exactly one kind of query."""
    if flags['database'] is None:
        for name in ('num_neighbours', 'encoder'):
            if flags[name] is not None:
                raise ValueError(f'{_flag(name)} needs --database: give both')
        return
    if (flags['prompt'] is None) == (flags['like'] is None):
        raise ValueError('--database: give one of --prompt and --like')
    if flags['negative'] is not None:
        raise ValueError('--negative has no effect with --database: omit it')


def _check_together(flags: Mapping[str, Any]) -> None:
    """Raise if flags contradict each other."""
    if flags['frames'] is not None and flags['interpolate'] is None:
        raise ValueError('--frames needs --interpolate: give both')
    if flags['frames'] == 1:
        raise ValueError('--frames=1 must be 2 or more, for both ends')
    if flags['interpolate'] is not None and flags['strength'] is not None:
        raise ValueError(
            '--interpolate starts from noise, and --strength from an image: '
            'give one'
        )
    for name, instead in (('seed', 'its two seeds'), ('num', '--frames')):
        if flags['interpolate'] is not None and flags[name] is not None:
            raise ValueError(
                f'--{name} has no effect with --interpolate, which has '
                f'{instead}: omit it'
            )
    # A row, or settings, may have the image.
    without = all(flags[o] is None for o in ('image', 'rows', 'like_settings'))
    if flags['strength'] is not None and without:
        raise ValueError('--strength needs --image: give both')
    for name in ('rows', 'like_settings'):
        both = ('interpolate', 'database')
        other = [o for o in both if flags[o] is not None]
        if flags[name] is not None and other:
            raise ValueError(
                f'{_flag(other[0])} is not available with {_flag(name)}: '
                'give one'
            )
    if flags['rows'] is not None and flags['like_settings'] is not None:
        raise ValueError('--from and --like-settings: give one')
    if flags['like_settings'] is not None:
        folder = Path(flags['out'], IMAGES).resolve()
        if Path(flags['like_settings']).resolve().parent == folder:
            raise ValueError(
                f'--like-settings {flags["like_settings"]} is in --out '
                f'{flags["out"]}, whose first image would be replaced: give '
                'another --out'
            )
