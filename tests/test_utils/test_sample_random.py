import pytest
import torch
from torch.special import ndtr

from mmldm.utils import SampleRandom, address_seed

ADDRESSES = [(0, 5), (0, 6), (1, 5)]
LIKE = torch.empty(3, 4, 2, 2)


def drawn(addresses, kind, name='noise'):
    """Numbers of any kind, (B, count)."""
    random = SampleRandom(addresses)
    if kind in ('uniform', 'stratified'):
        return getattr(random, kind)(name)[:, None]
    like = torch.empty(len(addresses), 4, 2, 2)
    return getattr(random, kind)(name)(like).flatten(1)


KINDS = pytest.mark.parametrize(
    'kind', ['uniform', 'stratified', 'normal', 'normal_stream']
)


@KINDS
def test_a_sample_draws_the_same_in_any_batch(kind):
    whole = drawn(ADDRESSES, kind)
    assert torch.equal(drawn(ADDRESSES[::-1], kind), whole.flip(0))
    for i, address in enumerate(ADDRESSES):
        assert torch.equal(drawn([address], kind)[0], whole[i])


@KINDS
def test_another_address_draws_other_numbers(kind):
    whole = drawn(ADDRESSES, kind)
    assert len(whole.flatten().unique()) == whole.numel()


@KINDS
def test_another_name_draws_other_numbers(kind):
    other = drawn(ADDRESSES, kind, 'other')
    assert not torch.isclose(drawn(ADDRESSES, kind), other).any()


def test_seeds_tell_addresses_and_names_apart():
    addresses = [(1, 23), (12, 3), (1, 2, 3), (123,)]
    seeds = {address_seed(a, name) for a in addresses for name in ('', 'x')}
    assert len(seeds) == 8
    assert max(seeds) < 2**128


def test_normal_repeats_and_a_stream_goes_on():
    random = SampleRandom(ADDRESSES)
    normal, stream = random.normal('noise'), random.normal_stream('noise')
    first = stream(LIKE)
    assert torch.equal(normal(LIKE), normal(LIKE))
    assert not torch.isclose(stream(LIKE), first).any()
    assert torch.equal(random.normal_stream('noise')(LIKE), first)


def test_a_stream_goes_on_alike_in_any_batch():
    whole = SampleRandom(ADDRESSES).normal_stream('solver')
    alone = SampleRandom(ADDRESSES[1:2]).normal_stream('solver')
    for _ in range(3):
        assert torch.equal(whole(LIKE)[1:2], alone(LIKE[:1]))


def distance_to_uniform(u):
    grid = torch.linspace(0, 1, len(u), dtype=torch.float64)
    return (u.sort().values - grid).abs().max()


def test_normal_numbers_are_standard_normal():
    """Kolmogorov-Smirnov distance; 1.95 / sqrt(n) is passed once in 1000."""
    random = SampleRandom([(0, i) for i in range(100)])
    x = random.normal('noise')(torch.empty(100, 1000, dtype=torch.float64))
    assert distance_to_uniform(ndtr(x.flatten())) < 1.95 / x.numel() ** 0.5


def test_uniform_numbers_are_uniform():
    u = SampleRandom([(0, i) for i in range(5000)]).uniform('time')
    assert u.min() >= 0 and u.max() < 1
    assert distance_to_uniform(u) < 1.95 / len(u) ** 0.5


@pytest.mark.parametrize('start', [0, 12_345, 10**9])
@pytest.mark.parametrize('size', [8, 64, 1000])
def test_stratified_numbers_fill_every_window(start, size):
    """No number of a window is far from its place; random ones are."""
    random = SampleRandom([(3, start + i) for i in range(size)])
    u = random.stratified('time')
    assert u.min() >= 0 and u.max() < 1
    assert distance_to_uniform(u) < 2.5 / size
    if size > 8:
        assert distance_to_uniform(random.uniform('time')) > 2.5 / size


def test_stratified_gaps_are_no_wider_than_three_means():
    """Of windows of any size; random ones have gaps of log(size) means."""
    u = SampleRandom([(0, i) for i in range(300)]).stratified('time')
    for size in range(2, 300):
        ordered = u[:size].sort().values
        gaps = torch.cat([ordered, ordered[:1] + 1]).diff()
        assert gaps.max() * size < 3 and gaps.min() * size > 0.3


def test_a_stratified_number_is_uniform_over_seeds():
    u = SampleRandom([(seed, 17) for seed in range(5000)]).stratified('time')
    assert distance_to_uniform(u) < 1.95 / len(u) ** 0.5


def test_stratified_numbers_are_exact_far_into_a_run():
    """Three steps of Kronecker's sequence are the same anywhere."""
    near, far = (
        SampleRandom([(0, start), (0, start + 3)]).stratified('time').diff()
        % 1
        for start in (0, 10**9)
    )
    golden = (5**0.5 - 1) / 2
    assert float(near) == pytest.approx(3 * golden % 1, abs=1e-15)
    assert float(far) == pytest.approx(3 * golden % 1, abs=1e-15)


def test_neighbours_are_not_correlated():
    x = SampleRandom([(0, i) for i in range(2)]).normal('noise')(
        torch.empty(2, 100_000)
    )
    assert abs((x[0] * x[1]).mean()) < 4 / 100_000**0.5


def test_noise_takes_the_dtype_of_the_latent():
    noise = SampleRandom(ADDRESSES).normal('noise')
    half = noise(LIKE.to(torch.bfloat16))
    assert torch.equal(half, noise(LIKE).to(torch.bfloat16))


def test_samples_bring_their_addresses(labelled):
    samples = [labelled(0, address=a) for a in ADDRESSES]
    assert torch.equal(
        SampleRandom.of(samples).uniform('time'),
        SampleRandom(ADDRESSES).uniform('time'),
    )


def test_samples_without_address_follow_the_global_seed(labelled):
    samples = [labelled(0), labelled(0)]
    first, second = SampleRandom.of(samples), SampleRandom.of(samples)
    torch.manual_seed(0)
    again = SampleRandom.of(samples)
    u = first.uniform('time')
    assert u[0] != u[1]
    stratified = first.stratified('time')
    assert 0.2 < abs(float(stratified.diff())) < 0.8
    assert not torch.isclose(u, second.uniform('time')).any()
    assert torch.equal(u, again.uniform('time'))
