"""The data sample: annotations and results of one sample."""

from typing import Any

import torch
from mmagic.structures import DataSample

from mmldm.utils.sample_random import Address

# Fields that are not images of the sample's size.
EMBEDDED = 'embedded'
PLAIN = ('caption', 'layout', 'ref_imgs', EMBEDDED)
NUMBERS = ('tokens', 'features', 'latent_moments')


class LDMDataSample(DataSample):
    """mmagic's ``DataSample`` with the fields of latent diffusion.

    Images: ``gt_img`` and ``pred_img``, uint8 RGB (3, H, W); ``img_lq``, a
    low-resolution image, uint8 RGB (3, h, w); ``mask``, uint8 or bool
    (1, H, W), 1 in the hole of ``gt_img``; ``gt_sem_seg``, the class of each
    pixel, whole numbers (1, H, W); ``ref_imgs``, one or more reference images,
    uint8 RGB (3, H, W) of any sizes, which the image shall resemble.

    Other data: ``gt_label``, a ``LabelData``; ``caption``, a text;
    ``layout``, a list of objects ``(class, (x, y, w, h))`` with the top left
    corner and the size of the box, relative to the full picture, which is the
    image unless there is a ``crop_box``; ``tokens`` (L,), token ids computed
    beforehand; ``features`` (L, C), an encoder's output computed beforehand;
    ``latent_moments`` (M, h, w), what :class:`CachedLatents` has of an image;
    ``embedded``, tensors that frozen embedders have made of the sample, by
    ``PLACE.SLOT``;
    ``negative``, an ``LDMDataSample`` with conditions that guidance leads away
    from; ``pred_labels``, a classifier's labels by name.

    Metainfo: ``address``, which seeds the sample's noise; ``img_path``;
    ``ori_shape``; ``img_shape``; ``crop_box``, the part (x, y, w, h) of the
    full picture that the image shows; ``sample_idx``, the sample's index in
    the data set; ``source_idx``, the index of the entry that it comes from.
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
        """See mmagic's method, which would take every array for an image."""
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
        """Name of the sample in errors."""
        return str(self.get('img_path', 'a data sample'))

    def require(self, field: str, reader: str) -> Any:
        """The value of a field that a condition requires.

        Args:
            field: Name of the field.
            reader: Class that needs the field, for errors.

        Raises:
            ValueError: If the field is missing.
        """
        if field not in self:
            raise ValueError(
                f'{self.name} has no {field}, which {reader} needs: use '
                f'a data set with {field}, or a model without {reader}'
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
    def random_address(self) -> Address | None:
        """(seed, position) that seeds the sample's noise; None if missing."""
        return self.metainfo.get('address')

    @property
    def negative(self) -> 'LDMDataSample | None':
        """The condition that guidance leads away from; None for the null."""
        return self.get('_negative')

    @negative.setter
    def negative(self, value: 'LDMDataSample') -> None:
        if not isinstance(value, LDMDataSample):
            raise ValueError(
                f'negative={value!r} must be an LDMDataSample with a '
                'condition, such as LDMDataSample().set_gt_label(3)'
            )
        self.set_field(value, '_negative')
