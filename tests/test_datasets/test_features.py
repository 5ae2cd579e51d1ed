"""Arrays beside images, which another encoder has made."""

import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import ImageFolder
from mmldm.datasets.transforms import LoadFeatures, LoadTokens, PackInputs


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


def test_tokens_lie_beside_their_image(tmp_path):
    """Whole numbers of one axis, which the sample gets as int64."""
    for name in ('images', 'tokens'):
        (tmp_path / name).mkdir()
    Image.new('RGB', (4, 4)).save(tmp_path / 'images/a.png')
    options = dict(
        images='images',
        annotations=[dict(type='TokenFiles', folder='tokens')],
        pipeline=[LoadTokens(), PackInputs()],
    )
    np.save(tmp_path / 'tokens/a.npy', np.arange(3, dtype=np.uint16))
    sample = ImageFolder(str(tmp_path), **options)[0]['data_samples']
    assert sample.tokens.tolist() == [0, 1, 2]
    assert str(sample.tokens.dtype) == 'torch.int64'
    np.save(tmp_path / 'tokens/a.npy', np.zeros(3))
    with pytest.raises(ValueError, match=r'expected integers \(L,\)'):
        ImageFolder(str(tmp_path), **options)[0]
