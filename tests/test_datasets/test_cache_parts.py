import numpy as np
import pytest
import torch

from mmldm.datasets.cache_parts import CacheParts
from mmldm.datasets.latent_cache import write_part
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


def test_a_field_of_several_shapes_is_named(tmp_path):
    fields = [dict(tokens=torch.zeros(n), meta={}) for n in (3, 4)]
    with pytest.raises(ValueError, match=r'tokens has .* \(3,\) and \(4,\)'):
        write_part(tmp_path / 'part', torch.zeros(2, 1, 8, 2, 2), fields, {})
    assert not [*tmp_path.iterdir()]
