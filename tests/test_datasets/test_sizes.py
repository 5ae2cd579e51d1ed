"""Images that are cut to several sizes, by their proportions."""

import logging

import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import ImageFolder, ImageShards, image_dataset
from mmldm.datasets.transforms import LoadImage

from .making import one_line, png, save, shard

BUCKETS = dict(type='AspectBuckets', step=4)
SIZES = [(12, 20), (16, 16), (20, 12)]
CUT = [
    dict(type='LoadImage'),
    dict(type='ResizeShorterSide'),
    dict(type='Crop', random=True),
    dict(type='PackInputs'),
]


@pytest.fixture
def shapes(tmp_path):
    """Wide, square and tall images, a panorama, one that EXIF turns."""
    for name, size in dict(
        wide=(60, 36), square=(30, 30), tall=(24, 40), panorama=(400, 40)
    ).items():
        save(tmp_path / f'{name}.png', Image.new('RGB', size))
    turned = Image.new('RGB', (60, 36))
    turned.getexif()[0x0112] = 6
    save(tmp_path / 'turned.jpg', turned, exif=turned.getexif())
    save(tmp_path / 'zz_small.png', Image.new('RGB', (10, 6)))
    return tmp_path


def load(root, pipeline=CUT, **kwargs):
    settings = dict(size=16, buckets=BUCKETS, serialize_data=False)
    return ImageFolder(str(root), pipeline=pipeline, **{**settings, **kwargs})


def test_each_image_has_the_size_nearest_to_its_proportions(shapes):
    dataset = load(shapes)
    names = [dataset.get_data_info(i)['img_path'] for i in range(6)]
    kinds = [name.split('/')[-1].split('.')[0] for name in names]
    sizes = [tuple(dataset[i]['inputs'].shape[1:]) for i in range(6)]
    assert dict(zip(kinds, sizes, strict=True)) == dict(
        panorama=(12, 20),
        square=(16, 16),
        tall=(20, 12),
        turned=(20, 12),
        wide=(12, 20),
        zz_small=(12, 20),
    )
    assert dataset.sizes == SIZES
    assert [SIZES[g] for g in dataset.size_groups()] == sizes
    assert dataset.size_counts() == [(12, 20, 3), (16, 16, 1), (20, 12, 2)]


def test_one_line_says_what_becomes_of_the_images(shapes, told):
    """The panorama is scaled to 12x120 and keeps 20 of 120 columns."""
    load(shapes)
    whole = 12 * 20 * 4 + 20 * 12 + 16 * 16 + 12 * 20
    assert one_line(
        told,
        '6 images in sizes',
        '12x20 3, 16x16 1, 20x12 2',
        f'cuts away {1200 / (whole + 1200 - 240):.1%}',
        'most, 83%, of',
        'panorama.png; 1 are enlarged, and none is left out',
    )
    assert (
        one_line(told, 'zz_small.png of 6x10 pixels 2 times to cover 12x20')
        == logging.WARNING
    )


def test_a_split_and_a_subset_have_their_own_counts(shapes):
    parts = [
        load(shapes, split=split).size_counts() for split in ('train', 'val')
    ]
    assert sum(n for part in parts for *_, n in part) == 6
    subset = load(shapes, indices=[1, 3, 4])
    assert subset.size_groups().tolist() == [1, 2, 0]
    assert subset.size_counts() == [(12, 20, 1), (16, 16, 1), (20, 12, 1)]
    turned = load(shapes, indices=[5, 4, 3, 2, 1, 0])
    assert turned.size_groups().tolist() == [0, 0, 2, 2, 1, 0]


def test_several_samples_of_an_entry_have_its_size(shapes):
    dataset = load(shapes, samples_per_entry=2)
    assert (
        dataset.size_groups().tolist()
        == np.repeat([0, 1, 2, 2, 0, 0], 2).tolist()
    )
    assert sum(n for *_, n in dataset.size_counts()) == 6


def test_a_second_start_takes_the_sizes_from_the_index(
    shapes, monkeypatch, tmp_path_factory, told
):
    monkeypatch.setattr(image_dataset, 'LEAST_INDEXED', 1)
    monkeypatch.setenv('MMLDM_CACHE', str(tmp_path_factory.mktemp('cache')))
    first = load(shapes)
    said = [line for line in told if 'sizes' in line[1]]
    told.clear()
    monkeypatch.setattr(
        image_dataset, 'choose_sizes', lambda *_: pytest.fail('read again')
    )
    second = load(shapes)
    assert [line for line in told if 'sizes' in line[1]] == said
    assert (second.size_groups() == first.size_groups()).all()
    assert second[0]['inputs'].shape == first[0]['inputs'].shape
    with pytest.raises(pytest.fail.Exception, match='read again'):
        load(shapes, buckets=dict(BUCKETS, max_ratio=4))


def test_maps_masks_and_captions_share_the_cut(folder):
    """A map that repeats the image's columns still does after the cut."""
    for name, (height, width) in dict(a=(30, 60), b=(60, 30)).items():
        columns = np.broadcast_to(
            np.arange(width, dtype=np.uint8), (height, width)
        )
        folder.image(f'{name}.png')
        Image.fromarray(columns).convert('RGB').save(
            folder.path / 'images' / f'{name}.png'
        )
        save(folder.path / 'maps' / f'{name}.png', Image.fromarray(columns))
        (folder.path / 'images' / f'{name}.txt').write_text('columns')
    (folder.path / 'images/b/c.png').unlink()
    pipeline = [
        dict(type='LoadImage'),
        dict(type='LoadLabelMap', num_classes=60),
        dict(type='Crop', random=True),
        dict(type='RandomFlip', prob=0.5),
        dict(type='RandomMask', presets=['training']),
        dict(type='ChooseCaption'),
        dict(type='PackInputs', gt_img=True),
    ]
    dataset = folder.load(
        dict(type='LabelMaps', folder='maps'),
        dict(type='CaptionFiles'),
        pipeline=pipeline,
        size=16,
        buckets=BUCKETS,
    )
    for packed, size in zip(dataset, [(12, 20), (20, 12)], strict=True):
        sample = packed['data_samples']
        assert packed['inputs'].shape[1:] == size == sample.img_shape
        assert (sample.gt_sem_seg.data[0] == packed['inputs'][0]).all()
        assert sample.mask.shape[1:] == sample.gt_img.shape[1:] == size
        assert sample.caption == 'columns'


def test_images_in_tar_files_have_sizes_too(tmp_path):
    shard(tmp_path / '0.tar', a__png=png(), b__png=png())  # 2x4 pixels
    dataset = ImageShards(
        str(tmp_path), pipeline=CUT, size=16, buckets=BUCKETS
    )
    assert dataset.size_counts() == [(12, 20, 2)]
    assert dataset[1]['inputs'].shape == (3, 12, 20)


def test_a_single_image_has_a_size(tmp_path):
    save(tmp_path / 'a.png', Image.new('RGB', (9, 90)))
    assert load(tmp_path).size_counts() == [(20, 12, 1)]


def test_a_crop_of_one_size_is_refused(shapes):
    pipeline = [LoadImage(), dict(type='Crop', size=12, random=True)]
    with pytest.raises(ValueError, match=r'pipeline.1 .* size=12.*remove'):
        load(shapes, pipeline)


def test_buckets_need_an_area(shapes):
    with pytest.raises(ValueError, match='set train_dataloader.dataset.size'):
        load(shapes, size=None)
