"""A sample's annotations and results on their way through the toolbox."""

from typing import Any

import torch
from mmagic.structures import DataSample

from mmldm.utils.draws import Address

# Fields that are no image of the size of the sample.
PLAIN = ('caption', 'layout', 'ref_imgs')
NUMBERS = ('tokens', 'features')


class LDMDataSample(DataSample):
    """mmagic's ``DataSample`` and what addressed randomness needs.

    Images: ``gt_img`` and ``pred_img``, uint8 RGB (3, H, W); ``img_lq``, one
    of low resolution, likewise; ``mask``, uint8 or bool (1, H, W), 1 where
    there is a hole in ``gt_img``; ``gt_sem_seg``, classes of pixels, whole
    numbers (1, H, W). ``ref_imgs`` are others that the image shall be like,
    one or more uint8 RGB (3, H, W) of any sizes.

    Other data: ``gt_label``, a ``LabelData``; ``caption``, a text;
    ``layout``, a list of objects ``(class, (x, y, w, h))``, the top left
    corner and the size of its box as parts of the full picture's width and
    height, which is the image's own unless there is a ``crop_box``;
    ``tokens`` (L,), what a tokenizer would give; ``features`` (L, C), what
    an encoder would give; ``negative``, an ``LDMDataSample`` with conditions
    of what the image should show less; ``pred_labels``, a classifier's, by
    name.

    Metainfo: ``address``, ``img_path``, ``ori_shape``, ``img_shape``;
    ``crop_box``, the part (x, y, w, h) of the full picture that the image
    shows, like a box of the layout; ``sample_idx``, its place in the dataset,
    and ``source_idx``, the same for all that is drawn for one entry of it.
    """

    META_KEYS = {
        **DataSample.META_KEYS,
        'address': 'address',
        'crop_box': 'crop_box',
    }
    DATA_KEYS = {
        **DataSample.DATA_KEYS,
        **{key: key for key in (*PLAIN, *NUMBERS, 'gt_sem_seg')},
    }

    def set_tensor_data(self, data: dict[str, Any]) -> None:
        """As of mmagic, which takes every array for an image."""
        images = dict(data)
        for key in PLAIN:
            if key in images:
                self.set_field(images.pop(key), key)
        for key in NUMBERS:
            if key in images:
                self.set_field(torch.as_tensor(images.pop(key)), key)
        super().set_tensor_data(images)

    @property
    def name(self) -> str:
        """What errors call it."""
        return str(self.get('img_path', 'a data sample'))

    def require(self, field: str, reader: str) -> Any:
        """The value of a field that a condition is made of.

        Args:
            field: Its name.
            reader: Who needs it.

        Raises:
            ValueError: If the sample has no such field.
        """
        if field not in self:
            raise ValueError(
                f'{self.name} has no {field}, which {reader} needs: use '
                f'a dataset that gives {field}, or a model without {reader}'
            )
        return self.get(field)

    @property
    def label(self) -> int:
        """The class of the sample.

        Raises:
            ValueError: If the sample has none.
        """
        return int(self.require('gt_label', 'ClassEmbedder').label)

    @property
    def draw_address(self) -> Address | None:
        """(seed, position) of what is drawn for it; None if not given."""
        return self.metainfo.get('address')

    @property
    def negative(self) -> 'LDMDataSample | None':
        """What guidance leads away from; None for no condition."""
        return self.get('_negative')

    @negative.setter
    def negative(self, value: 'LDMDataSample') -> None:
        if not isinstance(value, LDMDataSample):
            raise ValueError(
                f'negative={value!r} must be an LDMDataSample with a '
                'condition of its own, such as '
                'LDMDataSample().set_gt_label(3)'
            )
        self.set_field(value, '_negative')
