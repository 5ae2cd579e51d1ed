import random
from itertools import islice

import numpy as np
import pytest
import torch
from mmcv.transforms import RandomFlip
from torch.utils.data import DataLoader

from mmldm.datasets import AddressedDataset, AddressedIndex, AddressedSampler
from mmldm.datasets.transforms import Crop, PackInputs

SIDE = 12


class Images(AddressedDataset):
    """Ten images, no two pixels of which are equal."""

    def __init__(self, pipeline, **kwargs):
        # Serializing collects garbage: 0.6 s a dataset.
        super().__init__(pipeline, serialize_data=False, **kwargs)

    def load_data_list(self):
        pixels = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE)
        image = np.repeat(pixels[..., None], 3, axis=2)
        return [dict(img=image) for _ in range(10)]


def draw_from_every_generator(results):
    """As a user's transform may."""
    results['drawn'] = (
        random.random(),
        np.random.rand(),
        float(torch.rand(())),
    )
    return results


def fail_at_sample_3(results):
    torch.rand(())
    if results['sample_idx'] == 3:
        raise ValueError('sample 3 is broken')
    return results


@pytest.fixture
def dataset():
    return Images(
        pipeline=[
            RandomFlip(prob=0.5),
            Crop(4, random=True),
            draw_from_every_generator,
        ]
    )


def look(sample):
    """What its random transforms made of a sample, to compare."""
    return sample['img'].tolist(), sample['drawn']


def states():
    """Of the global generators, to compare."""
    kind, keys, *rest = np.random.get_state()
    return (
        random.getstate(),
        (kind, keys.tolist(), *rest),
        torch.get_rng_state().tolist(),
    )


def disturb():
    """Move every global generator."""
    random.random(), np.random.rand(), torch.rand(())


def test_equal_draws_look_the_same(dataset):
    index = AddressedIndex(3, seed=0, epoch=1, position=13)
    first = look(dataset[index])
    for _ in range(5):
        disturb()
        assert look(dataset[index]) == first


@pytest.mark.parametrize(
    'other',
    [
        dict(seed=1, epoch=1, index=3),
        dict(seed=0, epoch=2, index=3),
        dict(seed=0, epoch=1, index=4),
    ],
    ids=['seed', 'epoch', 'index'],
)
def test_another_draw_draws_other_numbers_from_every_generator(dataset, other):
    _, drawn = look(dataset[AddressedIndex(3, seed=0, epoch=1, position=13)])
    _, others = look(dataset[AddressedIndex(**other, position=13)])
    assert not set(drawn) & set(others)


@pytest.mark.parametrize('varied', ['seed', 'epoch', 'index'])
def test_flips_and_crops_vary(dataset, varied):
    """9 x 9 places, flipped or not: of 100 draws some 75 are unlike."""
    address = dict(seed=0, epoch=1, index=3, position=13)
    values = [i % 10 if varied == 'index' else i for i in range(100)]
    images = {
        str(look(dataset[AddressedIndex(**{**address, varied: value})])[0])
        for value in values
    }
    assert len(images) > (8 if varied == 'index' else 50)


def test_the_global_generators_are_left_alone(dataset):
    before = states()
    dataset[AddressedIndex(3, seed=0, epoch=1, position=13)]
    assert states() == before


def test_the_global_generators_are_left_alone_by_a_failing_sample():
    dataset = Images(pipeline=[fail_at_sample_3])
    before = states()
    with pytest.raises(ValueError, match='sample 3'):
        dataset[AddressedIndex(3, seed=0, epoch=0, position=3)]
    assert states() == before


def loaded(dataset, num_workers, seed=0):
    """What a loader gives for two epochs and more."""
    loader = DataLoader(
        dataset,
        batch_size=4,
        sampler=AddressedSampler(dataset, seed=seed),
        num_workers=num_workers,
        collate_fn=list,
        multiprocessing_context='fork' if num_workers else None,
    )
    return [look(sample) for batch in islice(loader, 6) for sample in batch]


def test_workers_draw_what_the_main_process_draws(dataset):
    alone = loaded(dataset, num_workers=0)
    disturb()
    assert loaded(dataset, num_workers=2) == alone
    assert loaded(dataset, num_workers=0, seed=1) != alone


def test_a_failing_sample_is_not_replaced():
    dataset = Images(pipeline=[fail_at_sample_3])
    for index in AddressedSampler(dataset, seed=0, shuffle=False):
        if index == 3:
            break
        assert dataset[index]['sample_idx'] == index
    with pytest.raises(ValueError, match='sample 3'):
        dataset[index]


def test_a_sample_that_a_transform_drops_is_not_replaced():
    dataset = Images(pipeline=[lambda results: None])
    assert dataset[AddressedIndex(3, seed=0, epoch=0, position=3)] is None


def test_the_address_reaches_the_data_sample():
    dataset = Images(pipeline=[PackInputs()])
    sample = dataset[AddressedIndex(3, seed=7, epoch=2, position=23)]
    assert sample['data_samples'].random_address == (7, 23)
    assert sample['data_samples'].sample_idx == 3
    assert dataset[3]['data_samples'].random_address == (0, 3)


def test_a_plain_index_gives_the_same_at_any_time(dataset):
    first = look(dataset[3])
    disturb()
    assert look(dataset[3]) == first
    assert look(dataset[4]) != first


def test_an_address_of_the_dataset_is_kept_for_a_plain_index():
    dataset = Images(pipeline=[PackInputs()])
    dataset.get_data_info = lambda idx: dict(address=(7, 31))
    assert dataset[3]['data_samples'].random_address == (7, 31)


def test_transforms_are_found_without_a_default_scope():
    dataset = Images(
        pipeline=[
            dict(type='Crop', size=4, random=False),
            dict(type='PackInputs'),
        ]
    )
    assert dataset[0]['data_samples'].img_shape == (4, 4)


def test_a_dataset_not_initialized_loads_when_asked():
    dataset = Images(pipeline=[], lazy_init=True)
    assert dataset[3]['sample_idx'] == 3


def test_draws_of_an_entry_differ_in_their_address_alone(dataset):
    """Which is what a model's noise is a function of."""
    repeated = Images(dataset.pipeline.transforms, samples_per_entry=3)
    assert len(repeated) == 30
    for i, sample in enumerate(map(repeated.__getitem__, range(30))):
        assert look(sample) == look(dataset[i // 3])
        assert sample['source_idx'] == i // 3
        assert sample['sample_idx'] == i
        assert sample['address'] == (0, i)
    index = AddressedIndex(7, seed=2, epoch=1, position=5)
    assert look(repeated[index]) == look(
        dataset[AddressedIndex(2, seed=2, epoch=1, position=9)]
    )
    assert repeated[index]['address'] == (2, 5)


def test_draws_of_an_address_of_the_dataset_differ():
    dataset = Images(pipeline=[PackInputs()], samples_per_entry=2)
    dataset.get_data_info = lambda idx: dict(address=(7, 31))
    addresses = [dataset[i]['data_samples'].random_address for i in (6, 7)]
    assert addresses == [(7, 62), (7, 63)]


def test_draws_of_a_part_of_the_entries():
    dataset = Images(pipeline=[], samples_per_entry=2, indices=[4, 6])
    assert len(dataset) == 4


def test_an_entry_comes_at_least_once():
    with pytest.raises(ValueError, match='Images.samples_per_entry=0'):
        Images(pipeline=[], samples_per_entry=0)


@pytest.mark.parametrize('pipeline', [None, 'PackInputs', ['PackInputs']])
def test_a_pipeline_that_is_none_is_refused(pipeline):
    with pytest.raises(
        ValueError, match='Images.pipeline=.* must be a list of transforms'
    ):
        Images(pipeline)
