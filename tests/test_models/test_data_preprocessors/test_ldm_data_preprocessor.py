import pytest
import torch

from mmldm.models.data_preprocessors import LDMDataPreprocessor
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images


def preprocess(*images):
    data = dict(inputs=[*images], data_samples=['a'] * len(images))
    return LDMDataPreprocessor()(data)['inputs']


def test_every_value_survives_and_colours_keep_their_order():
    """Red, green and blue differ, and take all of 0 ... 255."""
    ramp = torch.arange(256)
    rgb = torch.stack([ramp, (ramp + 80) % 256, (ramp + 160) % 256])
    rgb = rgb.to(torch.uint8).view(3, 16, 16)
    assert torch.equal(to_images(preprocess(rgb))[0], rgb)


def test_the_network_sees_values_of_minus_1_to_1():
    rgb = torch.tensor([0, 255], dtype=torch.uint8).expand(3, 1, 2)
    assert preprocess(rgb)[0, 0, 0].tolist() == [-1, 1]


def test_images_are_rounded_and_clamped():
    x = torch.tensor([-3.0, -1 + 0.6 / 127.5, 1.2]).view(1, 1, 1, 3)
    assert to_images(x)[0, 0, 0].tolist() == [0, 1, 255]


def image(value=0, size=(2, 2), dtype=torch.uint8):
    return torch.full((3, *size), value, dtype=dtype)


def test_a_batch_is_stacked_in_order():
    batch = LDMDataPreprocessor()(
        dict(
            inputs=[image(0), image(255)],
            data_samples=['a', 'b'],
            iteration=7,
        )
    )
    assert batch.pop('inputs')[:, 0, 0, 0].tolist() == [-1, 1]
    assert batch == dict(data_samples=['a', 'b'], iteration=7)


def test_a_batch_without_images_has_none():
    batch = LDMDataPreprocessor()(dict(data_samples=['a']))
    assert batch == dict(inputs=None, data_samples=['a'])


def test_images_normalised_before_are_refused():
    with pytest.raises(ValueError, match='got torch.float32; remove the norm'):
        LDMDataPreprocessor()(
            dict(inputs=[image(dtype=torch.float32)], data_samples=['a'])
        )


def test_images_of_several_sizes_are_refused():
    with pytest.raises(ValueError, match=r'\(3, 2, 2\).*\(3, 4, 2\).*Crop'):
        LDMDataPreprocessor()(
            dict(inputs=[image(), image(size=(4, 2))], data_samples=['a', 'b'])
        )
