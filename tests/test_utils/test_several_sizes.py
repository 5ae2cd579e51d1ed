"""What data sets say about the sizes of their images."""

import numpy as np

from mmldm.datasets import AddressedSampler
from mmldm.utils.several_sizes import SeveralSizes, sizes_of


class TwoSizes(SeveralSizes):
    """A data set of another project, whose entries give two samples."""

    sizes = [(8, 16), (16, 8), (12, 12)]
    samples_per_entry = 2

    def __len__(self):
        return 6

    def size_numbers(self):
        return np.array([0, 1, 0])


def test_groups_are_of_samples_and_counts_of_entries():
    dataset = sizes_of(TwoSizes())
    assert dataset.size_groups().tolist() == [0, 0, 1, 1, 0, 0]
    assert dataset.size_counts() == [(8, 16, 2), (16, 8, 1)]


def test_a_data_set_that_does_not_say_has_one_size():
    dataset = sizes_of([1, 2])
    assert dataset.size_groups() is None
    assert dataset.size_counts() is None


def test_a_batch_has_the_samples_of_one_size():
    sampler = AddressedSampler(TwoSizes(), seed=0)
    sampler.batch_size = 2
    order = iter(sampler)
    groups = TwoSizes().size_groups()
    for _ in range(6):
        first, second = (groups[next(order)] for _ in range(2))
        assert first == second
