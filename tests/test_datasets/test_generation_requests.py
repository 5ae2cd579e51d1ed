from collections import Counter

import pytest

from mmldm.datasets import GenerationRequests
from mmldm.datasets.transforms import PackInputs


def requests(num_samples, **kwargs):
    """The data samples of all requests."""
    # Serializing collects garbage: half a second a dataset.
    dataset = GenerationRequests(
        num_samples,
        size=(8, 16),
        pipeline=[PackInputs()],
        serialize_data=False,
        **kwargs,
    )
    return [packed['data_samples'] for packed in dataset]


@pytest.mark.parametrize('num_samples', [30, 34])
def test_classes_are_balanced(num_samples):
    counts = Counter(s.label for s in requests(num_samples, num_classes=10))
    assert sorted(counts) == list(range(10))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_what_is_drawn_depends_on_seed_and_number_alone():
    for num_samples in (3, 5):
        samples = requests(num_samples, seed=7)
        assert [s.random_address for s in samples] == [
            (7, i) for i in range(num_samples)
        ]


def test_without_classes_there_are_no_labels():
    assert not any('gt_label' in sample for sample in requests(3))


@pytest.mark.parametrize('size, shape', [([8, 16], (8, 16)), (8, (8, 8))])
def test_the_size_arrives_and_no_pixels(size, shape):
    dataset = GenerationRequests(1, size=size, pipeline=[PackInputs()])
    assert dataset[0].keys() == {'data_samples'}
    assert dataset[0]['data_samples'].img_shape == shape


def test_a_size_that_nobody_gives_is_refused():
    with pytest.raises(
        ValueError, match='size is missing, .*train_dataloader'
    ):
        GenerationRequests(1, size=None, pipeline=[])


@pytest.mark.parametrize('size', [(8, 8, 8), (8,), (8, 0), 0, ('8', 8)])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match='GenerationRequests.size='):
        GenerationRequests(1, size=size, pipeline=[])


@pytest.mark.parametrize('number', [0, -3, 1.5, True, 10**8])
def test_a_number_of_samples_that_is_none_is_refused(number):
    with pytest.raises(ValueError, match='GenerationRequests.num_samples='):
        GenerationRequests(number, size=(8, 8), pipeline=[])


def test_a_million_samples_take_no_memory_and_parts_of_them_are_the_same():
    many = dict(size=8, pipeline=[PackInputs()], num_classes=3)
    dataset = GenerationRequests(10**7, **many)
    assert len(dataset) == 10**7
    last = dataset[10**7 - 1]['data_samples']
    assert last.address == (0, 10**7 - 1)
    assert last.label == (10**7 - 1) % 3
    first = GenerationRequests(10**7, indices=5, **many)
    assert len(first) == 5
    assert first[4]['data_samples'].label == 1


def test_buckets_ask_for_every_size_of_every_class():
    dataset = GenerationRequests(
        12,
        16,
        [],
        buckets=dict(type='AspectBuckets', step=4),
        num_classes=2,
    )
    asked = [(entry['img_shape'], entry['gt_label']) for entry in dataset]
    sizes = [(12, 20), (16, 16), (20, 12)]
    expected = [(size, label) for size in sizes for label in (0, 1)]
    assert asked == expected * 2
