"""Arrays beside images, which another encoder has made."""

import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import ImageFolder
from mmldm.datasets.transforms import LoadFeatures, PackInputs


@pytest.fixture
def features(tmp_path):
    """Of the one image whose features are these."""
    (tmp_path / 'images').mkdir()
    (tmp_path / 'beside').mkdir()
    Image.new('RGB', (4, 4)).save(tmp_path / 'images/a.png')

    def features(content, **options):
        np.save(tmp_path / 'beside/a.npy', content, **options)
        dataset = ImageFolder(
            str(tmp_path),
            images='images',
            annotations=[dict(type='FeatureFiles', folder='beside')],
            pipeline=[LoadFeatures(), PackInputs()],
            serialize_data=False,
        )
        return dataset[0]['data_samples'].features

    return features


def test_features_lie_beside_their_image(features):
    values = np.arange(6, dtype=np.float16).reshape(2, 3)
    found = features(values)
    assert np.array_equal(found, values)
    assert found.dtype.is_floating_point and found.itemsize == 4


@pytest.mark.parametrize(
    'content, message',
    [
        (np.zeros(3), r'a.npy .it is float64 of shape \(3,\), expected fl'),
        (np.zeros((2, 3), int), r'a.npy .it is int64 of shape'),
        (np.array([[None]]), '1 features cannot be used.*a.npy'),
    ],
)
def test_other_files_are_refused_by_name(features, content, message):
    with pytest.raises(ValueError, match=message):
        features(content)
