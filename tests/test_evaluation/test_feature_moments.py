import pytest
import torch
from torch_fidelity.metric_fid import (
    fid_features_to_statistics,
    fid_statistics_to_metric,
)

from mmldm.evaluation import feature_moments
from mmldm.evaluation.feature_moments import FeatureMoments, moments_distance


def moments_of(features, batch=10):
    moments = FeatureMoments(features.shape[1])
    for rows in features.split(batch):
        moments.add(rows)
    return moments


def correlated(count, dim):
    return torch.rand(count, dim) @ torch.randn(dim, dim)


def test_mean_and_covariance_are_those_of_the_features():
    features = correlated(50, 6).double()
    moments = moments_of(features)
    torch.testing.assert_close(
        moments.mean, features.mean(0), rtol=0, atol=1e-6
    )
    torch.testing.assert_close(
        moments.covariance, features.T.cov(), rtol=0, atol=1e-5
    )


def test_sums_are_the_same_in_any_order_and_batches():
    features = correlated(300, 5)
    wanted = moments_of(features, 300)
    for batch in (1, 7, 64):
        found = moments_of(features[torch.randperm(300)], batch)
        for name in ('count', 'first', 'second'):
            assert torch.equal(getattr(found, name), getattr(wanted, name))


def test_the_distance_is_that_of_torch_fidelity():
    sets = [correlated(200, 8), correlated(150, 8)]
    stats = [fid_features_to_statistics(x) for x in sets]
    expected = fid_statistics_to_metric(*stats, verbose=False)
    found = moments_distance(*map(moments_of, sets))
    assert found == pytest.approx(
        expected['frechet_inception_distance'], abs=1e-5, rel=1e-6
    )


@pytest.mark.parametrize('count', [200, 20])
def test_a_set_has_no_distance_from_itself(count):
    """With more images than features, and with fewer."""
    moments = moments_of(correlated(count, 64))
    assert moments_distance(moments, moments) == pytest.approx(0, abs=1e-6)


def test_few_images_are_as_far_as_their_exact_roots_say():
    """Two images of each set: a rank of 1, and a closed form."""
    a = torch.tensor([[0.0, 0, 0], [2, 0, 0]])
    b = torch.tensor([[0.0, 0, 0], [0, 4, 0]])
    # Means (1, 0, 0), (0, 2, 0); variances 2 and 8 along two axes.
    found = moments_distance(moments_of(a), moments_of(b))
    assert found == pytest.approx(1 + 4 + 2 + 8, abs=1e-6)


def test_one_image_has_no_covariance():
    with pytest.raises(ValueError, match='two images or more, got 1'):
        moments_distance(*[moments_of(torch.rand(1, 3))] * 2)


@pytest.mark.parametrize(
    'value, message',
    [(float('nan'), 'not finite'), (1e5, 'a feature of 1e[+]05 is too large')],
)
def test_features_that_cannot_be_summed_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        FeatureMoments(2).add(torch.tensor([[0, value]]))


def test_sums_that_would_overflow_are_refused():
    moments = FeatureMoments(1)
    moments.second += 2**62
    with pytest.raises(ValueError, match='of 1 images are too large'):
        moments.add(torch.ones(1, 1))


def test_sums_of_processes_do_not_overflow(monkeypatch):
    """Each process has sums that fit, but not all of them together."""
    moments = FeatureMoments(2)
    moments.second.fill_(2**62 - 1)
    monkeypatch.setattr(
        feature_moments, 'all_reduce', lambda value, op: value.mul_(4)
    )
    with pytest.raises(ValueError, match='too large for exact sums'):
        moments.reduce()
