import pytest
import torch

from mmldm.structures import LDMDataSample
from mmldm.utils.size_parts import in_order, of_stacks, one_size_parts


def batch(*sizes):
    return dict(
        inputs=[torch.zeros(3, *size) for size in sizes],
        data_samples=[
            LDMDataSample(metainfo=dict(img_shape=s)) for s in sizes
        ],
        iteration=7,
    )


def test_a_batch_of_one_size_stays_whole():
    whole = batch((2, 3), (2, 3))
    ((places, part),) = one_size_parts(whole)
    assert places == [0, 1]
    assert part is whole


def test_each_size_is_a_part_with_everything_of_its_samples():
    whole = batch((2, 3), (4, 4), (2, 3))
    parts = one_size_parts(whole)
    assert [places for places, _ in parts] == [[0, 2], [1]]
    for places, part in parts:
        for key in ('inputs', 'data_samples'):
            assert all(
                one is whole[key][place]
                for one, place in zip(part[key], places, strict=True)
            )
        assert part['iteration'] == 7


def test_values_return_to_their_places():
    assert in_order([([2, 0], 'ca'), ([1], 'b')]) == ['a', 'b', 'c']


@pytest.mark.parametrize('sizes', [[(2, 3)] * 3, [(2, 3), (4, 1), (2, 3)]])
def test_stacks_of_one_size_are_processed_together(sizes):
    images = [torch.full(size, float(i)) for i, size in enumerate(sizes)]
    seen = []

    def process(a, b):
        seen.append(a.shape)
        return (a + b).flatten(1).mean(1).tolist()

    assert of_stacks(process, images, images) == [0, 2, 4]
    assert len(seen) == len({*sizes})
