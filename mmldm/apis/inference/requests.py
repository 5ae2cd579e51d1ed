"""What an image should show, by arguments in place of data samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mmldm.models.editors import LatentDiffusion
from mmldm.structures import LDMDataSample
from mmldm.utils.image_size import height_and_width

from .pictures import READERS

# Argument -> field of a data sample.
FIELDS = {
    'label': 'gt_label',
    'prompt': 'caption',
    'layout': 'layout',
    'image': 'gt_img',
    'mask': 'mask',
    'low_res': 'img_lq',
    'map': 'gt_sem_seg',
    'like': 'ref_imgs',
    'features': 'features',
}
ARGUMENTS = {name: argument for argument, name in FIELDS.items()}


@dataclass(frozen=True)
class Request:
    """One image that a model is asked for.

    Args:
        fields: Fields of a data sample, as its class describes them.
        size: Height and width, pixels.
        seed: Seed of the noise.
        number: Which image of this seed.
        negative: Fields that guidance leads away from.
    """

    fields: Mapping[str, Any]
    size: tuple[int, int]
    seed: int = 0
    number: int = 0
    negative: Mapping[str, Any] = field(default_factory=dict)

    def data_sample(self) -> LDMDataSample:
        """The data sample that a model takes."""
        meta = dict(img_shape=self.size, address=(self.seed, self.number))
        sample = _written(LDMDataSample(metainfo=meta), self.fields)
        if self.negative:
            sample.negative = _written(LDMDataSample(), self.negative)
        return sample


def _written(sample: LDMDataSample, fields: Mapping[str, Any]) -> Any:
    for name, value in fields.items():
        if name == 'gt_label':
            sample.set_gt_label(value)
        else:
            sample.set_field(value, name)
    return sample


def read_fields(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a data sample from arguments; files and pictures are read.

    Args:
        arguments: Values by the names of :data:`FIELDS`; None is left out.

    Raises:
        FileNotFoundError, ValueError: If a picture cannot be read; names the
            argument.
    """
    found = {}
    for argument, value in arguments.items():
        if value is None:
            continue
        read = READERS.get(argument)
        try:
            found[FIELDS[argument]] = value if read is None else read(value)
        except (OSError, ValueError, TypeError) as error:
            kind = FileNotFoundError
            if not isinstance(error, FileNotFoundError):
                kind = ValueError
            raise kind(f'{argument}: {error}') from error
    return found


def size_of(
    model: LatentDiffusion,
    fields: Mapping[str, Any],
    size: int | tuple[int, int] | None,
    argument: str = 'size',
) -> tuple[int, int]:
    """Height and width of an image, pixels.

    Args:
        model: The model; its own size is the last resort.
        fields: Images among them set the size.
        size: Side, or height and width; None if not given.
        argument: What users call it.

    Raises:
        ValueError: If neither says it.
    """
    if size is not None:
        return height_and_width(size)
    own = [name for name in fields if name not in ARGUMENTS]
    for name in ('gt_img', 'gt_sem_seg', *own):
        value = fields.get(name)
        if isinstance(value, Tensor) and value.ndim == 3:
            return tuple(value.shape[1:])
    if 'img_lq' in fields:  # has the size of the latent
        factor = model.autoencoder.factor
        height, width = fields['img_lq'].shape[1:]
        return factor * height, factor * width
    if model.image_size is None:
        raise ValueError(f'the image size is missing: give {argument}')
    return height_and_width(model.image_size)


def argument_of(name: str) -> str:
    """The argument that sets a field."""
    return ARGUMENTS.get(name, f'fields[{name!r}]')
