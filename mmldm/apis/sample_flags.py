"""What the flags of tools/sample.py and a model say to each other."""

from collections.abc import Collection, Mapping, Sequence

from torch import Tensor

from mmldm.models.editors import LatentDiffusion

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


def check_flags(model: LatentDiffusion, given: Collection[str]) -> None:
    """Raise unless the model reads what is given, and is given all.

    Args:
        model: What draws.
        given: Fields of data samples.

    Raises:
        ValueError: Naming the flags.
    """
    reads = {*model.conditioner.reads}
    for field in {*given} - reads:
        known = ', '.join(sorted(FLAGS.get(r, r) for r in reads)) or 'nothing'
        raise ValueError(
            f'{FLAGS[field]} says nothing to this model, which is told {known}'
        )
    missing = sorted(reads - {*given})
    if missing:
        field = missing[0]
        raise ValueError(
            f'the model draws what it is told: give {FLAGS[field]}'
            if field in FLAGS
            else f'the model is told {field}, for which there is no flag: '
            'call model.predict in Python, as docs/en/new_task.md does'
        )


def image_size(
    size: Sequence[int] | None,
    fields: Mapping[str, Tensor],
    model: LatentDiffusion,
) -> tuple[int, int]:
    """Height and width of what is drawn.

    Args:
        size: What ``--size`` says: one side, or both; None for nothing.
        fields: What is told, of which images have a size.
        model: What draws.

    Raises:
        ValueError: If nobody says how large, or ``size`` is no size.
    """
    if size is not None:
        if not 1 <= len(size) <= 2 or min(size) < 1:
            raise ValueError(
                f'--size {size} must be one side, or height and width'
            )
        return size[0], size[-1]
    for field in ('gt_img', 'gt_sem_seg'):
        if field in fields:
            return tuple(fields[field].shape[1:])
    if 'img_lq' in fields:  # lies beside the latent, as it is
        height, width = fields['img_lq'].shape[1:]
        factor = model.autoencoder.factor
        return factor * height, factor * width
    if model.image_size is None:
        raise ValueError(
            'neither the model nor a flag says how large images are: give '
            '--size'
        )
    return model.image_size, model.image_size
