"""Names of the classes that labels count."""

from collections.abc import Mapping, Sequence

from mmldm.utils import check_choice

# Lists of names that a config can name.
IMAGENET = 'imagenet'
# Fields of data samples whose classes have these names.
NAMED = ('gt_label', 'layout')
# Numbers of classes that ImageNet's names fit, without and with 'no class'.
FITS = 1000, 1001
Names = Sequence[str] | str


def read_class_names(
    names: Names | None, counts: Mapping[str, tuple[str, int]]
) -> tuple[str, ...] | None:
    """The names of the classes, in order; None if there are none.

    Args:
        names: One name for each class; 'imagenet' for the names of ImageNet's
            1000 classes, if there are as many; None for no names.
        counts: Number of classes by field; see ``Conditioner.class_counts``.

    Raises:
        ValueError: If they are not texts, or their number does not fit.
    """
    if names is None:
        return None
    if isinstance(names, str):
        check_choice('class_names', names, (IMAGENET,))
        # A config for other classes may inherit one of ImageNet.
        if any(counts.get(f, ('', 1000))[1] not in FITS for f in NAMED):
            return None
        names = imagenet_names()
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError('class_names must be texts, none of them empty')
    for field in NAMED:
        key, count = counts.get(field, ('', len(names)))
        # The row of 'no class' may count as a class.
        if len(names) not in (count, count - 1):
            raise ValueError(
                f'class_names has {len(names)} names, but {key}={count}: '
                'give one name for each class'
            )
    return tuple(names)


def imagenet_names() -> tuple[str, ...]:
    """The names of ImageNet's 1000 classes, in the order of the synsets."""
    from torchvision.models import ResNet50_Weights

    return tuple(ResNet50_Weights.DEFAULT.meta['categories'])
