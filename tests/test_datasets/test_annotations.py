import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import ImageFolder
from mmldm.datasets.transforms import (
    ChooseCaption,
    ChooseObjects,
    LoadImage,
    LoadLabelMap,
    LoadMask,
)


@pytest.fixture
def folder(tmp_path):
    """A data set in the making."""

    def image(name, height=4, width=8):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (width, height)).save(path)

    def text(name, content):
        if not isinstance(content, str):
            content = json.dumps(content)
        (tmp_path / name).write_text(content)

    def load(*annotations, pipeline=(), **kwargs):
        # Serializing collects garbage: half a second a dataset.
        return ImageFolder(
            str(tmp_path),
            images='images',
            pipeline=list(pipeline),
            annotations=annotations,
            serialize_data=False,
            **kwargs,
        )

    def values(key, *annotations, **kwargs):
        """By name of the image."""
        return {
            sample['img_path'].split('images/')[1]: sample[key]
            for sample in load(*annotations, **kwargs)
        }

    image('a.png')
    image('b/c.png')
    return SimpleNamespace(
        path=tmp_path, image=image, text=text, load=load, values=values
    )


def test_folders_are_classes_in_order_of_their_names(folder):
    (folder.path / 'images/a.png').unlink()
    folder.image('n02/x/y.png')
    folder.image('n01/z.png')
    classes = dict(type='FolderClasses', num_classes=3)
    dataset = folder.load(classes)
    assert folder.values('gt_label', classes) == {
        'b/c.png': 0,
        'n01/z.png': 1,
        'n02/x/y.png': 2,
    }
    assert dataset.metainfo['classes'] == ('b', 'n01', 'n02')


def test_a_class_without_folder_is_missed(folder):
    (folder.path / 'images/a.png').unlink()
    with pytest.raises(
        ValueError, match=r'in 1 folders \(b ...\), but.*num_classes=2'
    ):
        folder.load(dict(type='FolderClasses', num_classes=2))


def test_an_image_without_a_class_is_refused_by_name(folder):
    with pytest.raises(ValueError, match='image a.png.*in no folder'):
        folder.load(dict(type='FolderClasses'))


def test_small_images_are_left_out(folder):
    folder.image('d.png', height=5, width=5)
    large = dict(type='LargeImages', min_side=5)
    assert folder.values('img_path', large).keys() == {'d.png'}
    (folder.path / 'images/e.png').write_text('no image')
    with pytest.raises(ValueError, match='e.png cannot be read'):
        folder.load(large)
    with pytest.raises(ValueError, match='min_side=0 must be'):
        folder.load(dict(type='LargeImages', min_side=0))


LINES = [
    dict(file_name='a.png', caption=' one '),
    dict(file_name='b/c.png', caption=['two', 'three']),
    dict(file_name='a.png', caption='four, "five"'),
]
EXPECTED = {'a.png': ['one', 'four, "five"'], 'b/c.png': ['two', 'three']}


def test_captions_of_json_lines(folder):
    lines = [json.dumps(line) for line in LINES]
    folder.text('c.jsonl', '\n'.join([*lines, '', '']))
    captions = dict(type='Captions', file='c.jsonl')
    assert folder.values('captions', captions) == EXPECTED


@pytest.mark.parametrize('suffix, separator', [('csv', ','), ('tsv', '\t')])
def test_captions_of_a_table_with_columns_of_ones_own(
    folder, suffix, separator
):
    rows = [
        ('path', 'other', 'text'),
        ('a.png', '1', '"one"'),
        ('a.png', '2', '"four, ""five"""'),
        ('b/c.png', '2', 'tw\u00f6'),
    ]
    text = '\r\n'.join(separator.join(row) for row in rows)
    folder.text(f'c.{suffix}', '\ufeff' + text)
    captions = dict(
        type='Captions',
        file=f'c.{suffix}',
        image_key='path',
        caption_key='text',
    )
    assert folder.values('captions', captions) == {
        'a.png': ['one', 'four, "five"'],
        'b/c.png': ['tw\u00f6'],
    }


def line(**more):
    return json.dumps(dict(file_name='a.png', caption='one') | more)


@pytest.mark.parametrize(
    'file, content, message',
    [
        ('c.jsonl', '', 'c.jsonl is empty: it must have a row'),
        ('c.csv', 'file_name,caption\n', 'c.csv is empty'),
        ('c.txt', 'a.png one', 'c.txt must end in .jsonl'),
        (
            'c.jsonl',
            f'{line()}\n\n{{"file_name": "a.png",',
            r'line 3 is no JSON .*: {"file_name": "a.png",',
        ),
        ('c.jsonl', f'{line()}\n[1]', r'line 2 is no JSON object: \[1\]'),
        (
            'c.jsonl',
            f'{line()}\n{line(file_name="d.png")}',
            "line 2 names the image 'd.png', which is not there",
        ),
        ('c.jsonl', line(caption=' '), "line 1 has the caption ' '"),
        ('c.jsonl', line(caption=[]), r'line 1 has the caption \[\]'),
        ('c.jsonl', line(caption=3), 'line 1 has the caption 3'),
        ('c.jsonl', line(caption=['x', 3]), 'line 1 has the caption 3'),
        (
            'c.jsonl',
            json.dumps(dict(file_name='a.png', text='x')),
            "line 1 has no 'caption': it has 'file_name', 'text'; set",
        ),
        (
            'c.csv',
            'file_name,caption\na.png,one\na.png,one, two\n',
            'line 3 has not the 2 columns of the header',
        ),
        ('c.csv', 'file_name,caption\na.png\n', 'line 2 has not the 2'),
    ],
)
def test_a_broken_line_is_named(folder, file, content, message):
    folder.text(file, content)
    with pytest.raises(ValueError, match=message):
        folder.load(dict(type='Captions', file=file))


def test_a_file_that_is_no_text_is_named(folder):
    (folder.path / 'c.csv').write_bytes(b'file_name,caption\na.png,\xff\xfe')
    with pytest.raises(ValueError, match='c.csv is no text in UTF-8'):
        folder.load(dict(type='Captions', file='c.csv'))


def test_a_missing_file_is_named(folder):
    with pytest.raises(FileNotFoundError, match='c.csv'):
        folder.load(dict(type='Captions', file='c.csv'))


def test_images_of_which_nothing_is_said_are_left_out(folder):
    folder.text('c.jsonl', line())
    captions = dict(type='Captions', file='c.jsonl')
    assert folder.values('captions', captions) == {'a.png': ['one']}


def test_of_several_captions_any_is_chosen():
    chosen = [
        ChooseCaption()(dict(captions=['x', 'y', 'z']))['caption']
        for _ in range(100)
    ]
    assert set(chosen) == {'x', 'y', 'z'}


def coco(**more):
    images = [
        dict(id=7, file_name='a.png', width=8, height=4),
        dict(id=3, file_name='b/c.png', width=8, height=4),
    ]
    return dict(images=images, **more)


def test_captions_of_coco(folder):
    notes = [
        dict(image_id=7, caption='one'),
        dict(image_id=3, caption='two\n'),
        dict(image_id=7, caption='three'),
    ]
    folder.text('c.json', coco(annotations=notes))
    captions = dict(type='CocoCaptions', file='c.json')
    assert folder.values('captions', captions) == {
        'a.png': ['one', 'three'],
        'b/c.png': ['two'],
    }


CATEGORIES = [dict(id=44, name='cat'), dict(id=5, name='dog')]


def objects(*boxes):
    """A file of COCO's with objects of class 44 in the first image."""
    notes = [
        dict(image_id=7, category_id=44, id=i, bbox=box)
        for i, box in enumerate(boxes, 1)
    ]
    return coco(annotations=notes, categories=CATEGORIES)


def test_boxes_of_coco_are_parts_and_classes_follow_their_ids(folder):
    content = objects([2, 1, 4, 2], [0, 0, 0, 2])
    content['annotations'] += [
        dict(image_id=7, category_id=5, bbox=[0, 0, 8.04, 4]),
        dict(image_id=3, category_id=5, bbox=[0, 0, 8, 4], iscrowd=1),
    ]
    folder.text('b.json', content)
    boxes = dict(type='CocoBoxes', file='b.json')
    assert folder.values('layout', boxes) == {
        'a.png': [(1, (0.25, 0.25, 0.5, 0.5)), (0, (0, 0, 1, 1))]
    }
    assert folder.load(boxes).metainfo['classes'] == ('dog', 'cat')


def test_images_with_few_objects_are_left_out(folder):
    content = objects([2, 1, 4, 2])
    folder.text('b.json', content)
    for least, images in ((0, {'a.png', 'b/c.png'}), (1, {'a.png'})):
        boxes = dict(type='CocoBoxes', file='b.json', min_objects=least)
        assert folder.values('layout', boxes).keys() == images
    with pytest.raises(ValueError, match='says nothing about any of the 2'):
        folder.load(dict(boxes, min_objects=2))


def with_note(**more):
    content = objects([2, 1, 4, 2])
    content['annotations'][0].update(more)
    return content


@pytest.mark.parametrize(
    'content, message',
    [
        (with_note(bbox=[2, 1, 7, 2]), r'annotation 1 lies outside.*a.png'),
        (with_note(bbox=[2, -1, 4, 2]), r'\(0.25, -0.25, 0.5, 0.5\)'),
        (with_note(bbox=[2, 1, -1, 2]), 'annotation 1 lies outside'),
        (with_note(bbox=[2, 1, 4]), r'is \[2, 1, 4\].*must be \(x, y, w, h'),
        (with_note(bbox=None), 'annotation 1 is None'),
        (with_note(category_id=6), 'annotation 1 has the class 6.*2 cat'),
        (with_note(image_id=9), 'annotation 1 is of the image 9'),
        ('{"images": [', 'b.json is no JSON'),
        ([], 'b.json has no images'),
        (coco(annotations=[]), 'b.json has no annotations'),
        (
            coco(annotations=[dict(id=1, image_id=7, caption='x')]),
            'annotation 1 has no bbox.*instances_train2017.json',
        ),
        (
            dict(objects([2, 1, 4, 2]), images=[dict(id=7, file_name='d')]),
            "names the image 'd', which is not there",
        ),
    ],
)
def test_a_broken_file_of_coco_is_refused_by_entry(folder, content, message):
    folder.text('b.json', content)
    with pytest.raises(ValueError, match=message):
        folder.load(dict(type='CocoBoxes', file='b.json'))


HEADER = 'ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf\n'


def open_images(folder, rows, classes='/m/2,Dog\n/m/1,Cat\n', header=HEADER):
    folder.text('b.csv', header + rows)
    folder.text('classes.csv', classes)
    return dict(type='OpenImagesBoxes', file='b.csv', classes='classes.csv')


def test_boxes_of_open_images(folder):
    rows = (
        'a,/m/2,0.25,0.75,0.5,1,0\n'  # kept
        'a,/m/1,0,1,0,1,0\n'  # kept
        'a,/m/1,0,1,0,1,1\n'  # a group
        'a,/m/3,0,1,0,1,0\n'  # a class not asked for
        'd,/m/1,0,1,0,1,0\n'  # not there
    )
    boxes = open_images(folder, rows)
    assert folder.values('layout', boxes) == {
        'a.png': [(1, (0.25, 0.5, 0.5, 0.5)), (0, (0, 0, 1, 1))]
    }
    assert folder.load(boxes).metainfo['classes'] == ('Cat', 'Dog')


@pytest.mark.parametrize(
    'broken, message',
    [
        (dict(rows='a,/m/1,0,1.5,0,1,0\n'), 'line 2 lies outside.*a.png'),
        (dict(rows='a,/m/1,0.9,0.1,0,1,0\n'), 'line 2 lies outside'),
        (dict(rows='a,/m/1,x,1,0,1,0\n'), 'line 2 has no box'),
        (dict(rows='', header='ImageID\n'), 'b.csv has no column LabelName'),
        (dict(rows='', classes=''), 'classes.csv is empty'),
        (dict(rows='', classes='/m/1\n'), r"has the line \['/m/1'\]"),
        (dict(rows=''), 'says nothing about any of the 2 images'),
    ],
)
def test_a_broken_file_of_open_images_is_refused_by_line(
    folder, broken, message
):
    boxes = open_images(folder, **broken)
    with pytest.raises(ValueError, match=message):
        folder.load(boxes)


def test_objects_are_chosen_at_random_and_large_enough():
    layout = [(i, (0, 0, 0.1 * i, 0.1)) for i in range(6)]
    seen = set()
    for _ in range(200):
        chosen = ChooseObjects(3, min_area=0.015)(dict(layout=layout))
        seen.add(tuple(c for c, _ in chosen['layout']))
        assert all(item in layout for item in chosen['layout'])
    # Three of the classes 2 to 5, in any order.
    assert len(seen) == 24
    assert {c for row in seen for c in row} == {2, 3, 4, 5}
    assert ChooseObjects()(dict(layout=[]))['layout'] == []


def write_map(folder, name, values):
    path = folder.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(values, np.uint8)).save(path)


NUMBERS = np.arange(32).reshape(4, 8) % 5


@pytest.fixture
def mapped(folder):
    write_map(folder, 'maps/a.png', NUMBERS)
    write_map(folder, 'maps/b/c.png', NUMBERS[::-1])
    return folder


def maps(mapped, num_classes, **options):
    pipeline = [LoadImage(), LoadLabelMap(num_classes, **options)]
    return mapped.values(
        'gt_sem_seg', dict(type='LabelMaps', folder='maps'), pipeline=pipeline
    )


def test_label_maps_lie_in_a_folder_beside(mapped):
    found = maps(mapped, 5)
    assert np.array_equal(found['a.png'], NUMBERS)
    assert np.array_equal(found['b/c.png'], NUMBERS[::-1])


def test_numbers_are_shifted_and_what_is_ignored_is_class_0(mapped):
    found = maps(mapped, 5, shift=1, ignored=4)['a.png']
    assert np.array_equal(found, (NUMBERS + 1) % 5)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(num_classes=4), 'a.png has the number 4, with shift=0'),
        (dict(num_classes=5, shift=-1), 'a.png has the number 0, with sh'),
        (dict(num_classes=5, shift=1), r'the class 5, which is not in \[0, 5'),
    ],
)
def test_a_class_out_of_range_is_refused_by_name(mapped, options, message):
    with pytest.raises(ValueError, match=message):
        maps(mapped, **options)


def test_a_map_of_another_size_is_refused_by_name(mapped):
    write_map(mapped, 'maps/a.png', NUMBERS.T)
    with pytest.raises(
        ValueError, match='maps/a.png is 8x4, its image .*a.png 4x8'
    ):
        maps(mapped, 5)


def test_an_image_without_map_is_refused_by_name(mapped):
    (mapped.path / 'maps/b/c.png').unlink()
    with pytest.raises(ValueError, match='image b/c.png has no .*maps/b/c.p'):
        maps(mapped, 5)


def test_masks_lie_beside_their_images(folder):
    write_map(folder, 'masks/a_mask.png', NUMBERS * 63)
    write_map(folder, 'masks/b/c_mask.png', NUMBERS[::-1] * 63)
    found = folder.values(
        'mask',
        dict(type='MaskFiles', folder='masks', suffix='_mask.png'),
        pipeline=[LoadImage(), LoadMask()],
    )
    assert np.array_equal(found['a.png'], NUMBERS > 2)
    assert np.array_equal(found['b/c.png'], NUMBERS[::-1] > 2)


def test_several_annotations_meet(mapped):
    mapped.text('c.jsonl', line())
    mapped.text('b.json', objects([2, 1, 4, 2]))
    dataset = mapped.load(
        dict(type='Captions', file='c.jsonl'),
        dict(type='CocoBoxes', file='b.json'),
        dict(type='LabelMaps', folder='maps'),
    )
    assert len(dataset) == 1
    assert {'captions', 'layout', 'map_path'} <= dataset[0].keys()


def test_a_missing_folder_of_images_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="images='.*train' is not"):
        ImageFolder(str(tmp_path), images='train', pipeline=[])
