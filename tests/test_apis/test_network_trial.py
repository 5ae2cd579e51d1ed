import pytest

from mmldm.apis.network_trial import try_networks
from mmldm.registry import MODELS

FOLLOW = ('in_channels', 'out_channels', 'context_dim')


@pytest.fixture
def config(ldm_config):
    """A tiny model's, in which no number that follows is stated."""

    def build(**denoiser):
        config = ldm_config(denoiser=denoiser)
        for key in FOLLOW:
            del config.denoiser[key]
        return config

    return build


def test_a_denoiser_is_tried_where_its_numbers_follow(config):
    weights = MODELS.build(config()).state_dict()
    try_networks(config(), weights, 'file')
    with pytest.raises(ValueError, match='file does not fit this Denoising'):
        try_networks(config(channels=128), weights, 'file')


def test_what_cannot_be_completed_is_left_to_the_build(config):
    weights = MODELS.build(config()).state_dict()
    unknown = config()
    unknown.conditioner.embedders = [dict(type='NoSuchEmbedder')]
    try_networks(unknown, weights, 'file')
