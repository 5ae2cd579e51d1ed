import pytest
import torch

from mmldm.utils.moments import pooled_moments, sample_moments


def test_samples_of_any_size_pool_to_the_moments_of_all_values():
    parts = [torch.randn(2, 3, h, w) + 5 for h, w in ((4, 4), (2, 6), (1, 1))]
    moments = torch.cat([sample_moments(part) for part in parts])
    mean, std = pooled_moments(moments)
    values = torch.cat([p.transpose(0, 1).flatten(1) for p in parts], 1)
    values = values.double()
    torch.testing.assert_close(mean, values.mean(1))
    torch.testing.assert_close(std, values.std(1, correction=0))


def test_how_samples_are_batched_changes_nothing():
    z = torch.randn(6, 2, 4, 4)
    one_by_one = torch.cat([sample_moments(sample[None]) for sample in z])
    assert torch.equal(sample_moments(z), one_by_one)


def test_a_small_deviation_about_a_large_mean_is_seen():
    """Sums of squares about 0 would give 0, or the root of less."""
    z = torch.tensor([1e8, 1e8 + 8, 1e8 - 8, 1e8]).view(2, 1, 2)
    mean, std = pooled_moments(sample_moments(z))
    assert mean.item() == 1e8
    assert std.item() == pytest.approx(32**0.5, rel=1e-9)
