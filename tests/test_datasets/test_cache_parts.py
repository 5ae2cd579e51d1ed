import numpy as np
import pytest

from mmldm.datasets.cache_parts import CacheParts
from mmldm.datasets.size_choice import packed_numbers

NUMBERS = np.array([2, 0, 0, 5, 2, 0, 0, 0, 2], dtype=np.uint16)


@pytest.mark.parametrize('numbers', [None, NUMBERS])
@pytest.mark.parametrize('most', [1, 2, 4, 100])
def test_every_entry_has_one_place_in_a_file_of_its_size(numbers, most):
    packed = None if numbers is None else packed_numbers(numbers)
    parts = CacheParts(
        dict(num_entries=9, part_size=most, size_numbers=packed)
    )
    assert sorted(entry for part in parts for entry in part) == [*range(9)]
    for number, part in enumerate(parts):
        assert 0 < len(part) <= most
        assert [parts.place(entry) for entry in part] == [
            (number, row) for row in range(len(part))
        ]
        if numbers is not None:
            assert len({numbers[entry] for entry in part}) == 1


def test_a_cache_of_one_size_is_in_order():
    parts = CacheParts(dict(num_entries=5, part_size=2))
    assert [[*part] for part in parts] == [[0, 1], [2, 3], [4]]
