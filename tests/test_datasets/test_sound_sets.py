"""One bad file beside an image costs that image, and is counted."""

import logging

import numpy as np
import pytest
from PIL import Image

from mmldm.datasets.report import DataReport, printable
from mmldm.datasets.transforms import LoadImage, LoadMask

HOLE = np.zeros((4, 8), np.uint8)
HOLE[1:3, 2:5] = 1


def write(path, values, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)


BAD_MASKS = {
    'all black': (np.zeros((4, 8), np.uint8), 'all black'),
    'all white': (np.full((4, 8), 255, np.uint8), 'all white'),
    'another size': (255 * HOLE.T, 'it is 8x4, its image .*a.png 4x8'),
}


@pytest.mark.parametrize('kind', BAD_MASKS)
def test_a_mask_of_no_use_costs_its_image(folder, told, kind):
    values, message = BAD_MASKS[kind]
    write(folder.path / 'masks/a.png', values)
    write(folder.path / 'masks/b/c.png', 255 * HOLE)
    masks = dict(type='MaskFiles', folder='masks')
    found = folder.values('mask', masks, pipeline=[LoadImage(), LoadMask()])
    assert found.keys() == {'b/c.png'}
    assert np.array_equal(found['b/c.png'], HOLE)
    ((level, text),) = told
    assert level == logging.WARNING and '1 masks cannot be used' in text
    with pytest.raises(ValueError, match=f'strict=True.*{message}'):
        folder.load(masks, strict=True)


def test_grey_masks_are_counted_once(folder, told):
    for name in ('a', 'b/c'):
        write(folder.path / f'masks/{name}.png', 255 * HOLE + 100 * (1 - HOLE))
    masks = dict(type='MaskFiles', folder='masks')
    pipeline = [LoadImage(), LoadMask()]
    found = folder.values('mask', masks, pipeline=pipeline, strict=True)
    assert np.array_equal(found['a.png'], HOLE)
    ((_, text),) = told
    assert '2 masks have grey pixels' in text


def test_a_hole_may_be_black(folder):
    write(folder.path / 'masks/a.png', 255 * (1 - HOLE))
    masks = dict(type='MaskFiles', folder='masks')
    pipeline = [LoadImage(), LoadMask(hole='black')]
    found = folder.values('mask', masks, pipeline=pipeline)
    assert np.array_equal(found['a.png'], HOLE)
    with pytest.raises(ValueError, match="hole='red'.*'white'|black, white"):
        LoadMask(hole='red')


def test_of_a_folder_of_masks_the_sound_ones_are_drawn(tmp_path, told):
    write(tmp_path / 'a.png', 255 * HOLE)
    write(tmp_path / 'b.png', np.zeros((4, 8), np.uint8))
    (tmp_path / 'c.png').write_text('no image')
    step = LoadMask(folder=str(tmp_path))
    image = np.zeros((4, 8, 3), np.uint8)
    for _ in range(8):
        assert np.array_equal(step(dict(img=image))['mask'], HOLE)
    ((_, text),) = told
    assert '2 masks cannot be used and are left out' in text


def test_a_mask_that_seems_to_mark_the_known_part_is_said(folder, told):
    for name in ('a', 'b/c'):
        write(folder.path / f'masks/{name}.png', 255 * (1 - HOLE))
    folder.load(dict(type='MaskFiles', folder='masks'))
    ((level, text),) = told
    assert level == logging.WARNING
    assert '2 masks are white in more than half' in text
    assert "hole='black'" in text


def test_a_coloured_label_map_costs_its_image(folder, told):
    colours = np.random.default_rng(0).integers(0, 9, (4, 8, 3), np.uint8)
    write(folder.path / 'maps/a.png', colours)
    write(folder.path / 'maps/b/c.png', np.dstack([HOLE] * 3))
    maps = dict(type='LabelMaps', folder='maps')
    assert folder.values('map_path', maps).keys() == {'b/c.png'}
    ((_, text),) = told
    assert '1 label images cannot be used' in text and '3 channels' in text


@pytest.mark.parametrize(
    'values', [np.ones(3), np.ones((2, 3), int), np.array([[None]])]
)
def test_features_of_no_use_cost_their_image(folder, told, values):
    (folder.path / 'features/b').mkdir(parents=True)
    np.save(folder.path / 'features/a.npy', values, allow_pickle=True)
    np.save(folder.path / 'features/b/c.npy', np.ones((2, 3)))
    features = dict(type='FeatureFiles', folder='features')
    assert folder.values('features_path', features).keys() == {'b/c.png'}
    assert '1 features cannot be used' in told[0][1]


def test_an_image_turned_since_it_was_annotated_is_left_out(folder, told):
    folder.image('a.png', height=8, width=4)
    notes = [
        dict(image_id=i, category_id=1, bbox=[0, 0, 4, 4]) for i in range(2)
    ]
    folder.text(
        'b.json',
        dict(
            images=[
                dict(id=i, file_name=name, width=8, height=4)
                for i, name in enumerate(('a.png', 'b/c.png'))
            ],
            categories=[dict(id=1, name='cat')],
            annotations=notes,
        ),
    )
    boxes = dict(type='CocoBoxes', file='b.json')
    assert folder.values('layout', boxes).keys() == {'b/c.png'}
    assert '1 images have other proportions' in told[0][1]


def test_a_damaged_image_moves_no_other_between_the_splits(tmp_path, folder):
    for i in range(100):
        folder.image(f'{i}.png')
    before = folder.values('size', split='val').keys()
    broken = sorted(before)[0]
    (folder.path / 'images' / broken).write_text('no image')
    assert folder.values('size', split='val').keys() == before - {broken}


def test_a_single_image_for_validation_is_a_sound_one(folder):
    """Whichever of the few it would have been."""
    folder.image('d.png')
    (name,) = folder.values('size', split='val').keys()
    (folder.path / 'images' / name).write_text('no image')
    assert len(folder.values('size', split='val')) == 1
    assert len(folder.values('size', split='train')) == 1


def test_a_report_says_each_kind_once(told):
    report = DataReport('Owner')
    for name in ('first', 'second'):
        report.defect('things are broken', name, 'mend them')
        report.note('things are odd', name)
    report.state('Nothing is wrong with this')
    report.tell()
    assert told == [
        (
            logging.WARNING,
            'Owner: 2 things are broken, such as first: mend them',
        ),
        (logging.INFO, 'Owner: 2 things are odd, such as first'),
        (logging.INFO, 'Owner: Nothing is wrong with this'),
    ]


def test_a_strict_report_refuses_defects_alone():
    report = DataReport('Owner', strict=True)
    report.note('things are odd', 'a')
    report.tell()
    report.defect('things are broken', 'b')
    with pytest.raises(ValueError, match='Owner.strict=True, but 1 things a'):
        report.tell()


def test_what_cannot_be_printed_is_written_out():
    assert printable('caf\u00e9\n\x1b\udce9') == 'caf\u00e9\\n\\x1b\\udce9'
