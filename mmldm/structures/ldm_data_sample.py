"""A sample's annotations and results on their way through the toolbox."""

from mmagic.structures import DataSample

from mmldm.utils.draws import Address


class LDMDataSample(DataSample):
    """mmagic's ``DataSample`` and what addressed randomness needs.

    Data: ``gt_img`` and ``pred_img``, uint8 RGB (3, H, W); ``gt_label``, a
    ``LabelData``; ``negative``, an ``LDMDataSample`` with conditions of what
    the image should show less; ``pred_labels``, a classifier's, by name.
    Metainfo: ``address``, ``img_path``, ``ori_shape``.
    """

    META_KEYS = {**DataSample.META_KEYS, 'address': 'address'}

    @property
    def label(self) -> int:
        """The class of the sample.

        Raises:
            ValueError: If the sample has none.
        """
        if 'gt_label' not in self:
            raise ValueError(
                'a data sample has no gt_label, which a class condition '
                'needs: use a dataset that gives gt_label, or '
                'a model without ClassEmbedder'
            )
        return int(self.gt_label.label)

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
