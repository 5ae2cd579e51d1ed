"""Images that an image shall be like: itself, or a file beside it."""

import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import ImageFolder
from mmldm.datasets.transforms import (
    KeepReference,
    LoadImage,
    LoadReference,
    PackInputs,
    RandomFlip,
)
from mmldm.utils.pixels import clip_crop


@pytest.fixture
def read(tmp_path):
    """The sample of an image; the arrays of it and of its neighbour."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, size in dict(images=(8, 9), beside=(12, 20)).items():
        arrays[name] = rng.integers(0, 256, (*size, 3), np.uint8)
        (tmp_path / name).mkdir()
        Image.fromarray(arrays[name]).save(tmp_path / name / 'a.png')

    def read(*transforms, folder='beside'):
        dataset = ImageFolder(
            str(tmp_path),
            images='images',
            annotations=[dict(type='ReferenceFiles', folder=folder)],
            pipeline=[LoadImage(), *transforms, PackInputs()],
            serialize_data=False,
        )
        return dataset[0]['data_samples'], arrays

    return read


@pytest.mark.parametrize(
    'transform, name', [(KeepReference, 'images'), (LoadReference, 'beside')]
)
def test_it_is_what_clip_sees_in_rgb(read, transform, name):
    sample, arrays = read(transform(size=6), RandomFlip(1.0))
    (image,) = sample.ref_imgs
    expected = clip_crop(arrays[name], 6)
    assert expected.shape == (6, 6, 3)
    assert np.array_equal(image.permute(1, 2, 0), expected)
    # The encoder leaves it as it is.
    assert np.array_equal(clip_crop(expected, 6), expected)


def test_mistakes_are_named(read):
    with pytest.raises(ValueError, match='of ReferenceFiles'):
        read(folder='none')
    with pytest.raises(ValueError, match='LoadReference.size=0'):
        LoadReference(0)
