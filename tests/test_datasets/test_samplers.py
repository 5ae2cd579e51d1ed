import pickle
from itertools import islice

import pytest
from mmengine.runner import Runner

from mmldm.datasets import AddressedIndex, AddressedSampler

LENGTH = 7


def take(sampler, count):
    """The first draws, as (index, epoch, position)."""
    return [
        (int(index), index.epoch, index.position)
        for index in islice(sampler, count)
    ]


def epochs_of(count=3, **kwargs):
    """The indices of each epoch."""
    sampler = AddressedSampler(range(LENGTH), **kwargs)
    order = [int(index) for index in islice(sampler, count * LENGTH)]
    return [order[i : i + LENGTH] for i in range(0, len(order), LENGTH)]


def test_a_draw_is_an_index_and_keeps_its_address_through_pickle():
    index = AddressedIndex(3, seed=5, epoch=1, position=42)
    received = pickle.loads(pickle.dumps(index))
    assert received == 3
    assert (received.seed, received.epoch, received.position) == (5, 1, 42)


def test_an_epoch_has_every_sample_once():
    for order in epochs_of(seed=0):
        assert sorted(order) == list(range(LENGTH))


def test_epochs_and_seeds_have_their_own_orders():
    orders = epochs_of(seed=0) + epochs_of(seed=1)
    assert len(set(map(tuple, orders))) == len(orders)
    assert epochs_of(seed=1) == orders[3:]


def test_without_shuffling_it_is_the_order_of_the_dataset():
    assert epochs_of(seed=0, shuffle=False) == [list(range(LENGTH))] * 3


def test_a_draw_knows_where_in_the_run_it_stands():
    indices = list(islice(AddressedSampler(range(LENGTH), seed=5), 20))
    assert [index.position for index in indices] == list(range(20))
    assert [index.epoch for index in indices] == [
        i // LENGTH for i in range(20)
    ]
    assert {index.seed for index in indices} == {5}


@pytest.mark.parametrize('start', [1, LENGTH - 1, LENGTH, 2 * LENGTH + 3])
def test_a_later_start_goes_on_as_if_never_interrupted(start):
    whole = take(AddressedSampler(range(LENGTH), seed=0), 30)
    resumed = AddressedSampler(range(LENGTH), seed=0)
    resumed.start = start
    assert take(resumed, 30 - start) == whole[start:]


@pytest.mark.parametrize('start', [0, 10])
def test_two_ranks_take_turns_in_the_order_of_one(start):
    whole = take(AddressedSampler(range(LENGTH), seed=0), 30)
    shares = []
    for rank in range(2):
        sampler = AddressedSampler(range(LENGTH), seed=0)
        sampler.rank, sampler.world_size, sampler.start = rank, 2, start
        shares.append(take(sampler, 15 - start // 2))
    turns = [index for turn in zip(*shares, strict=True) for index in turn]
    assert turns == whole[start:]


@pytest.mark.parametrize('world_size, share', [(1, 7), (2, 4), (7, 1)])
def test_its_length_is_the_share_of_a_rank_rounded_up(world_size, share):
    sampler = AddressedSampler(range(LENGTH), seed=0)
    sampler.world_size = world_size
    assert len(sampler) == share


@pytest.mark.parametrize('length, count', [(7, 3), (100, 8), (5, 5), (6, 1)])
def test_spread_draws_are_even(length, count):
    """Steps differ by one at most, the one around the end included."""
    indices = AddressedSampler(range(length), seed=5).spread(count)
    ends = [*indices[1:], indices[0] + length]
    steps = [b - a for a, b in zip(indices, ends, strict=True)]
    assert len(indices) == count
    assert max(steps) - min(steps) <= 1


def test_spread_draws_are_each_sample_once_at_most():
    assert AddressedSampler(range(LENGTH)).spread(100) == list(range(LENGTH))


def test_spread_draws_have_addresses_of_their_own():
    indices = AddressedSampler(range(100), seed=5).spread(8)
    assert [(d.seed, d.epoch, d.position) for d in indices] == [
        (5, 0, i) for i in range(8)
    ]


def test_an_empty_dataset_is_refused():
    with pytest.raises(ValueError, match='training dataset is empty'):
        AddressedSampler([])


def test_the_seed_of_the_run_reaches_the_sampler():
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='mmldm.AddressedSampler', shuffle=False),
            dataset=dict(
                type='mmldm.GenerationRequests',
                num_samples=3,
                size=(8, 8),
                pipeline=[],
            ),
        ),
        seed=5,
    )
    indices = list(islice(loader.sampler, 4))
    assert [index.seed for index in indices] == [5] * 4
    assert indices == [0, 1, 2, 0]
