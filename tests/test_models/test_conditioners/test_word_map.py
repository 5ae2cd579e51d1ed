import pytest
import torch
from torch.nn.functional import interpolate

from mmldm.models.conditioners import Conditioner, WordMap
from mmldm.structures import LDMDataSample

KEEP = torch.tensor([False, False])
CONFIG = dict(
    vocab=['red', 'apple', 'heart'],
    max_length=3,
    latent_channels=2,
    num_stages=2,
    side=4,
)


def samples(*captions, side=16):
    meta = dict(img_shape=(side, side))
    return [LDMDataSample(metainfo=meta, caption=text) for text in captions]


@pytest.fixture
def model():
    model = WordMap(**CONFIG)
    torch.nn.init.normal_(model.word_maps.weight[1:])
    return model


def test_a_caption_is_the_sum_of_its_words(model):
    maps = model.word_maps.weight.unflatten(1, (2, 4, 4))
    found = model(samples('red apple', 'Heart, red heart!'), KEEP)
    torch.testing.assert_close(found[0], maps[1] + maps[2])
    torch.testing.assert_close(found[1], maps[1] + 2 * maps[3])


def test_it_starts_at_zero_and_no_word_stays_zero(model):
    assert not WordMap(**CONFIG).word_maps.weight.any()
    model(samples('red', 'apple'), KEEP).sum().backward()
    learns = model.word_maps.weight.grad.abs().sum(1) > 0
    assert learns.tolist() == [False, True, True, False]


def test_what_is_dropped_is_zero(model):
    conditioner = Conditioner([dict(type='WordMap', **CONFIG)])
    conditioner.embedders[0] = model
    some = samples('red', 'apple')
    assert not conditioner.null(some).spatial.any()
    found = model(some, torch.tensor([True, False]))
    assert not found[0].any()
    assert found[1].any()


def test_other_latents_have_an_interpolated_map(model):
    """An odd image too, whose latent is rounded up."""
    small = model(samples('red', 'apple'), KEEP)
    for side, latent in ((32, 8), (13, 4), (8, 2)):
        found = model(samples('red', 'apple', side=side), KEEP)
        expected = interpolate(
            small, (latent, latent), mode='bilinear', antialias=True
        )
        torch.testing.assert_close(found, expected)


def test_an_unknown_word_is_refused(model):
    with pytest.raises(ValueError, match="'blue', which is not in"):
        model(samples('blue', 'red'), KEEP)
