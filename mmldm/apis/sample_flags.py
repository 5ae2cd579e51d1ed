"""What the flags of tools/sample.py and a model say to each other."""

import argparse
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from torch import Tensor

from mmldm.models.conditioners.layouts import check_box
from mmldm.models.editors import LatentDiffusion
from mmldm.utils import check_count, check_range
from mmldm.utils.files import check_file, check_folder_to_write
from mmldm.utils.image_size import height_and_width

# What a data sample holds, and the flag that says it.
FLAGS = {
    'gt_label': '--label',
    'caption': '--prompt',
    'layout': '--object',
    'gt_img': '--image',
    'mask': '--mask',
    'img_lq': '--low-res',
    'gt_sem_seg': '--map',
    'ref_imgs': '--like',
    'features': '--database',
}


def check_args(args: argparse.Namespace) -> None:
    """Raise where flags make no sense, whatever the model.

    Args:
        args: Of tools/sample.py.

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
            raise ValueError(f"{flag} '' says nothing: give words")
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
    """Raise unless it is clear what is looked for in a database."""
    if args.database is None:
        for name in ('num_neighbours', 'encoder'):
            if getattr(args, name) is not None:
                flag = f'--{name.replace("_", "-")}'
                raise ValueError(f'{flag} is of use only with --database')
        return
    if (args.prompt is None) == (args.like is None):
        raise ValueError('--database: give one of --prompt and --like')
    if args.negative is not None:
        raise ValueError(
            '--negative says nothing with --database: guidance leads away '
            'from no neighbours at all'
        )


def check_flags(model: LatentDiffusion, given: Collection[str]) -> None:
    """Raise unless the model reads what is given, and is given all.

    Args:
        model: What draws.
        given: Fields of data samples.

    Raises:
        ValueError: Naming the flags.
    """
    reads = {*model.conditioner.reads}
    for field in sorted({*given} - reads):
        known = ', '.join(sorted(map(_flag, reads))) or 'nothing'
        raise ValueError(
            f'{_flag(field)} says nothing to this model, which is told {known}'
        )
    for field in sorted(reads - {*given}):
        how = '' if field in FLAGS else ', of .png or .npy'
        raise ValueError(
            f'the model draws what it is told: give {_flag(field)}{how}'
        )


def _flag(field: str) -> str:
    """The flag that says a field."""
    return FLAGS.get(field, f'--field {field}=FILE')


def check_classes(
    model: LatentDiffusion,
    told: Mapping[str, Any],
    negative: Mapping[str, Any],
) -> None:
    """Raise where a class is none of the model's.

    Args:
        model: What draws.
        told: What the flags say, by field; ``gt_label`` are several.
        negative: What :func:`negative_of` gives.

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
                    f'{flag}: {label} is none of the classes of this model, '
                    f'which are 0 to {count - 1}'
                )


def negative_of(
    model: LatentDiffusion, negative: str | None
) -> dict[str, int | str]:
    """What ``--negative`` says, as a field of a data sample.

    Raises:
        ValueError: If it says nothing to the model.
    """
    reads = model.conditioner.reads
    if negative is None:
        return {}
    if 'caption' in reads:
        return dict(caption=negative)
    if 'gt_label' not in reads:
        raise ValueError(
            f'--negative {negative} says nothing to this model, which is told '
            'neither a caption nor a class: leave it out'
        )
    try:
        return dict(gt_label=int(negative))
    except ValueError as error:
        raise ValueError(
            f'--negative {negative} is no class: give its number'
        ) from error


def image_size(
    size: Sequence[int] | None,
    fields: Mapping[str, Any],
    model: LatentDiffusion,
) -> tuple[int, int]:
    """Height and width of what is drawn.

    Args:
        size: What ``--size`` says: one side, or both; None for nothing.
        fields: What is told, of which images have a size.
        model: What draws.

    Raises:
        ValueError: If nobody says how large.
    """
    if size is not None:
        return size[0], size[-1]
    own = [field for field in fields if field not in FLAGS]
    for field in ('gt_img', 'gt_sem_seg', *own):
        value = fields.get(field)
        if isinstance(value, Tensor) and value.ndim == 3:
            return tuple(value.shape[1:])
    if 'img_lq' in fields:  # lies beside the latent, as it is
        height, width = fields['img_lq'].shape[1:]
        factor = model.autoencoder.factor
        return factor * height, factor * width
    if model.image_size is None:
        raise ValueError(
            'neither the model nor a flag says how large images are: give '
            '--size'
        )
    return height_and_width(model.image_size)
