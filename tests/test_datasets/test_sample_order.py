from collections import Counter

import numpy as np
import pytest

from mmldm.datasets import AddressedSampler
from mmldm.datasets.sample_order import OneSizeOrder, PlainOrder
from mmldm.utils.several_sizes import SeveralSizes

# 11 samples of size 2, 5 of size 0, 1 of size 7.
GROUPS = np.array([2, 0, 2, 2, 7, 2, 0, 2, 0, 2, 2, 0, 2, 2, 0, 2, 2])


class Sized(SeveralSizes):
    """A data set with samples of several sizes."""

    def __len__(self):
        return len(GROUPS)

    def size_groups(self):
        return GROUPS


def drawn(count, batch_size=4, **kwargs):
    order = OneSizeOrder(
        GROUPS, batch_size, **{'seed': 0, 'shuffle': True, **kwargs}
    )
    return [order.at(place) for place in range(count)]


def sampler(batch_size=4, start=0, rank=0, world_size=1):
    made = AddressedSampler(Sized(), seed=0)
    made.batch_size, made.start = batch_size, start
    made.rank, made.world_size = rank, world_size
    return made


def take(source, count):
    found = zip(source, range(count), strict=False)
    return [(int(i), i.epoch, i.position) for i, _ in found]


@pytest.mark.parametrize('batch_size', [1, 3, 4, 6, 40])
def test_every_batch_has_one_size(batch_size):
    samples = [sample for sample, _ in drawn(60 * batch_size, batch_size)]
    sizes = GROUPS[samples].reshape(60, batch_size)
    assert (sizes == sizes[:, :1]).all()


@pytest.mark.parametrize('batch_size', [1, 3, 4, 6, 40])
@pytest.mark.parametrize('passes', [1, 2, 7, 40])
def test_no_sample_is_left_out_or_preferred(batch_size, passes):
    """In E passes, n samples of a size fill floor(E n / B) batches."""
    order = OneSizeOrder(GROUPS, batch_size, 0, True)
    whole = sum(
        passes * n // batch_size for n in Counter(GROUPS.tolist()).values()
    )
    counts = Counter(s for s, _ in drawn(whole * batch_size, batch_size))
    assert order._batches_before(passes) == whole
    for group, members in order.members.items():
        seen = [counts[i] for i in members]
        filled = passes * len(members) // batch_size * batch_size
        assert sum(seen) == filled, group
        assert max(seen) - min(seen) <= 1, group


def test_a_draw_is_told_from_earlier_draws_of_its_sample():
    """The number of the pass seeds augmentations: none repeats."""
    assert len(set(drawn(500))) == 500
    order = OneSizeOrder(GROUPS, 4, 0, True)
    passes = 8
    numbers = {}
    for sample, number in drawn(4 * order._batches_before(passes)):
        numbers.setdefault(sample, []).append(number)
    for sample, found in numbers.items():
        assert sorted(found) == [*range(passes)], sample


def test_one_sample_alone_fills_its_batches():
    samples = [s for s, _ in drawn(17 * 4)]
    batches = np.array(samples).reshape(17, 4)
    assert [row for row in batches.tolist() if 4 in row] == [[4] * 4]


def test_passes_and_seeds_have_their_own_orders():
    batches = np.array([s for s, _ in drawn(17 * 4 * 3)]).reshape(3, 17, 4)
    other = np.array([s for s, _ in drawn(17 * 4, seed=1)]).reshape(17, 4)
    assert len({b.tobytes() for b in (*batches, other)}) == 4


def test_without_shuffling_samples_keep_their_order():
    samples = [s for s, _ in drawn(17 * 5, 1, shuffle=False)]
    once = np.argsort(GROUPS, kind='stable').tolist()
    assert samples == once * 5


def test_sizes_come_in_turns_not_one_after_the_other():
    samples = [s for s, _ in drawn(17 * 4)]
    sizes = GROUPS[samples[::4]].tolist()
    assert sizes != sorted(sizes)


def test_a_place_needs_no_places_before_it():
    whole = drawn(300)
    order = OneSizeOrder(GROUPS, 4, 0, True)
    for place in (299, 3, 150, 151, 0):
        assert order.at(place) == whole[place]


@pytest.mark.parametrize('start', [4, 16, 68, 400])
def test_a_later_start_goes_on_as_if_never_interrupted(start):
    whole = take(sampler(), 500)
    assert take(sampler(start=start), 500 - start) == whole[start:]


@pytest.mark.parametrize('world_size', [2, 3])
def test_ranks_share_each_batch(world_size):
    """Every rank has the same sizes at the same time."""
    whole = take(sampler(batch_size=6), 240)
    shares = [
        take(sampler(6, 0, rank, world_size), 240 // world_size)
        for rank in range(world_size)
    ]
    turns = [index for turn in zip(*shares, strict=True) for index in turn]
    assert turns == whole


def test_another_batch_size_begins_with_a_whole_batch():
    """10 samples in batches of 5, then batches of 4: each has one size."""
    resumed = take(sampler(4, start=10), 200)
    sizes = GROUPS[[index for index, *_ in resumed]].reshape(50, 4)
    assert (sizes == sizes[:, :1]).all()
    assert [position for *_, position in resumed] == [*range(10, 210)]
    later = take(sampler(4, start=10 + 80), 120)
    assert later == resumed[80:]


def test_the_plain_order_is_a_permutation_each_pass():
    order = PlainOrder(7, 0, True)
    found = [order.at(place) for place in range(21)]
    assert [number for _, number in found] == [i // 7 for i in range(21)]
    passes = [[int(s) for s, _ in found[i : i + 7]] for i in (0, 7, 14)]
    assert all(sorted(samples) == [*range(7)] for samples in passes)
    assert len(set(map(tuple, passes))) == 3
