import math

import pytest
import torch

from mmldm.evaluation import LatentStatistics
from mmldm.structures import LDMDataSample


def sample(latent, codes=None, num_codes=8):
    """What a first stage says of an image."""
    sample = LDMDataSample()
    sample.latent = latent
    if codes is not None:
        sample.codes = torch.tensor(codes)
        sample.set_metainfo(dict(num_codes=num_codes))
    return sample


@pytest.mark.parametrize('batch_size', [1, 2, 3])
def test_moments_are_those_of_a_channel_over_the_set(judge, batch_size):
    sizes = [(4, 4), (2, 8), (3, 3)]
    offset = torch.tensor([0.0, 100.0])[:, None, None]
    latents = [torch.randn(2, *size) + offset for size in sizes]
    found = judge(LatentStatistics(), [sample(z) for z in latents], batch_size)
    values = torch.cat([z.flatten(1) for z in latents], 1).double()
    assert found == {
        f'latent/{name}_{channel}': pytest.approx(value.item(), rel=1e-12)
        for name, moment in (
            ('mean', values.mean(1)),
            ('std', values.std(1, correction=0)),
        )
        for channel, value in enumerate(moment)
    }


def test_without_a_codebook_nothing_is_said_of_it(judge):
    found = judge(LatentStatistics(), [sample(torch.zeros(1, 2, 2))])
    assert set(found) == {'latent/mean_0', 'latent/std_0'}


@pytest.mark.parametrize('batch_size', [1, 2, 3])
def test_usage_is_that_of_the_whole_set(judge, batch_size):
    """Every image uses one or two codes, all of them 4 of 8."""
    codes = [[[1, 1], [1, 1]], [[7, 7], [2, 2]], [[2, 2], [0, 0]]]
    latent = torch.zeros(1, 2, 2)
    samples = [sample(latent, own) for own in codes]
    found = judge(LatentStatistics(), samples, batch_size)
    shares = [4 / 12, 2 / 12, 4 / 12, 2 / 12]
    entropy = -sum(p * math.log(p) for p in shares)
    assert found['latent/code_usage'] == 4 / 8
    assert found['latent/perplexity'] == pytest.approx(math.exp(entropy))


def test_codes_used_equally_have_their_number_as_perplexity(judge):
    samples = [
        sample(torch.zeros(1, 1, 2), [[2 * i, 2 * i + 1]]) for i in range(3)
    ]
    found = judge(LatentStatistics(), samples)
    assert found['latent/perplexity'] == pytest.approx(6)
    assert found['latent/code_usage'] == 6 / 8
