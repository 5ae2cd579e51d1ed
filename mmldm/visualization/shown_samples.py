"""The samples of a validation or a test that pictures show."""

from collections.abc import Container, Iterable, Sequence, Sized

import numpy as np
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from mmldm.structures import LDMDataSample


def generated(samples: Sequence) -> list:
    """The samples with a generated image; a classifier makes none."""
    return [sample for sample in samples if 'pred_img' in sample]


def those(samples: Sequence, chosen: Container[int]) -> list:
    """The samples with these indices."""
    return [sample for sample in samples if sample.sample_idx in chosen]


def labels_read(model: nn.Module, dataset: Sized) -> list[int | None]:
    """The class of every sample of a data set.

    None where there is none, or where the model does not read it.
    """
    if 'gt_label' not in read_by(model):
        return [None] * len(dataset)
    return labels_of(dataset)


def labels_of(dataset: Sized) -> list[int | None]:
    """The class of every sample of a data set, or None."""
    if not hasattr(dataset, 'get_data_info'):
        return [None] * len(dataset)
    samples_per_entry = getattr(dataset, 'samples_per_entry', 1)
    labels = [
        dataset.get_data_info(i).get('gt_label')
        for i in range(len(dataset) // samples_per_entry)
    ]
    return [
        label if isinstance(label, int | np.integer) else None
        for label in labels
        for _ in range(samples_per_entry)
    ]


def read_by(model: nn.Module) -> tuple[str, ...]:
    """Fields of data samples that a model's conditioner reads."""
    if is_model_wrapper(model):
        model = model.module
    conditioner = getattr(model, 'conditioner', None)
    return () if conditioner is None else conditioner.reads


def with_fields(sample: LDMDataSample, names: Iterable[str]) -> LDMDataSample:
    """A copy of a sample that has only some fields, which must be there."""
    return type(sample)(
        metainfo=sample.metainfo, **{name: sample.get(name) for name in names}
    )


def as_array(image: Tensor) -> np.ndarray:
    """uint8 tensor (3, H, W) -> uint8 array (H, W, 3)."""
    return image.permute(1, 2, 0).cpu().numpy()
