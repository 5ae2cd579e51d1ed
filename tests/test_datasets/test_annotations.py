import json
import logging

import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import ImageFolder
from mmldm.datasets.transforms import (
    ChooseCaption,
    LoadImage,
    LoadLabelMap,
    LoadMask,
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
    with pytest.raises(
        ValueError, match='in no folder of a class.*image a.png'
    ):
        folder.load(dict(type='FolderClasses'), strict=True)


def test_small_images_are_left_out(folder):
    folder.image('d.png', height=5, width=5)
    large = dict(type='LargeImages', min_side=5)
    assert folder.values('img_path', large).keys() == {'d.png'}
    (folder.path / 'images/e.png').write_text('no image')
    with pytest.raises(ValueError, match='cannot be read.*e.png'):
        folder.load(large, strict=True)
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
        ('c.jsonl', '', 'c.jsonl has no valid row'),
        ('c.csv', 'file_name,caption\n', 'c.csv has no valid row'),
        ('c.txt', 'a.png one', 'c.txt must end in .jsonl'),
        (
            'c.jsonl',
            f'{line()}\n\n{{"file_name": "a.png",',
            r'line 3 is invalid JSON .*: {"file_name": "a.png",',
        ),
        ('c.jsonl', f'{line()}\n[1]', r'line 2 is not a JSON object: \[1\]'),
        (
            'c.jsonl',
            f'{line()}\n{line(file_name="d.png")}',
            "line 2 names the image 'd.png', which is missing",
        ),
        ('c.jsonl', line(caption=' '), "line 1 has the caption ' '"),
        ('c.jsonl', line(caption=[]), r'line 1 has the caption \[\]'),
        ('c.jsonl', line(caption=3), 'line 1 has the caption 3'),
        ('c.jsonl', line(caption=['x', 3]), 'line 1 has the caption 3'),
        (
            'c.jsonl',
            json.dumps(dict(file_name='a.png', text='x')),
            "line 1 has no 'caption': it has 'file_name', 'text': set",
        ),
        (
            'c.csv',
            'file_name,caption\na.png,one\na.png,one, two\n',
            'line 3 has 3 columns, the header 2: quote',
        ),
        (
            'c.csv',
            'file_name,caption\na.png\n',
            'line 2 has 1 columns, the header 2',
        ),
        (
            'c.csv',
            'file_name,caption\na.png,one\na.png,"a b\nb/c.png,b\na.png,c',
            'line 3 is broken .unexpected end of data.: close its quotes',
        ),
        ('c.tsv', 'file_name\tcaption\na.png\ta\0b', 'line 2 has a NUL byte'),
        ('c.jsonl', line(caption=None), 'line 1 has the caption None'),
        ('c.jsonl', line(file_name=None), 'line 1 names the image None'),
    ],
)
def test_a_broken_line_is_named(folder, file, content, message):
    folder.text(file, content)
    with pytest.raises(ValueError, match=message):
        folder.load(dict(type='Captions', file=file), strict=True)


def test_a_file_that_is_no_text_is_named(folder):
    (folder.path / 'c.csv').write_bytes(b'file_name,caption\na.png,\xff\xfe')
    with pytest.raises(
        ValueError,
        match='c.csv, line 2 is not a text in UTF-8.*byte 0xff at position 0',
    ):
        folder.load(dict(type='Captions', file='c.csv'), strict=True)


@pytest.mark.parametrize(
    'annotations, key',
    [
        (dict(type='Captions', file='c.csv'), 'Captions.file'),
        (dict(type='CocoCaptions', file='c.csv'), 'CocoCaptions.file'),
        (
            dict(type='OpenImagesBoxes', file='b.csv', classes='c.csv'),
            'OpenImagesBoxes.classes',
        ),
    ],
)
def test_a_missing_file_is_named(folder, annotations, key):
    with pytest.raises(
        FileNotFoundError, match=f'c.csv is missing: set {key}'
    ):
        folder.load(annotations)


def test_a_mark_of_utf_8_and_a_dot_before_a_path_are_read(folder):
    text = '\ufeff' + line(file_name='./b/../a.png')
    folder.text('c.jsonl', text)
    captions = dict(type='Captions', file='c.jsonl')
    assert folder.values('captions', captions) == {'a.png': ['one']}


@pytest.mark.parametrize(
    'entry', ['FolderClasses', None, dict(num_classes=2), dict(type='LSUN')]
)
def test_what_is_no_annotations_is_refused_by_place(folder, entry):
    with pytest.raises(
        ValueError,
        match=r'ImageFolder.annotations.1=.*must be a dict with a type .* '
        'FolderClasses',
    ):
        folder.load(dict(type='LargeImages', min_side=1), entry)


def test_images_of_which_nothing_is_said_are_left_out(folder, told):
    folder.image('d.png')
    folder.text('c.jsonl', line())
    captions = dict(type='Captions', file='c.jsonl')
    assert folder.values('captions', captions) == {'a.png': ['one']}
    text = 'ImageFolder: 2 images are left out, as Captions has no entry '
    assert told == [(logging.WARNING, f'{text}for them, such as b/c.png')]


def test_of_several_captions_any_is_chosen():
    chosen = [
        ChooseCaption()(dict(captions=['x', 'y', 'z']))['caption']
        for _ in range(100)
    ]
    assert set(chosen) == {'x', 'y', 'z'}


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


def maps(mapped, num_classes, strict=False, **options):
    pipeline = [LoadImage(), LoadLabelMap(num_classes, **options)]
    return mapped.values(
        'gt_sem_seg',
        dict(type='LabelMaps', folder='maps'),
        pipeline=pipeline,
        strict=strict,
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
        ValueError, match='maps/a.png .it is 8x4, its image .*a.png 4x8'
    ):
        maps(mapped, 5, strict=True)


def test_an_image_without_map_is_refused_by_name(mapped):
    (mapped.path / 'maps/b/c.png').unlink()
    with pytest.raises(ValueError, match='image b/c.png has no .*maps/b/c.p'):
        maps(mapped, 5, strict=True)


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


def test_files_of_no_image_are_counted(mapped, told):
    write_map(mapped, 'maps/d.png', NUMBERS)
    maps(mapped, 5)
    ((level, text),) = told
    assert level == logging.INFO
    assert '1 label images belong to no image, such as' in text
    assert text.endswith('maps/d.png')


STRIPES = np.arange(4096, dtype=np.uint8).reshape(64, 64) * 255


@pytest.mark.parametrize(
    'kind, suffix, what',
    [
        ('LabelMaps', '.png', 'label images'),
        ('MaskFiles', '.jpg', 'masks'),
        ('ReferenceFiles', '.webp', 'references'),
        ('FeatureFiles', '.npy', 'features'),
    ],
)
def test_damaged_files_beside_images_are_found_at_once(
    folder, kind, suffix, what
):
    for name in ('a', 'b/c'):
        path = folder.path / f'beside/{name}{suffix}'
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == '.npy':
            np.save(path, np.zeros((30, 40)))
        else:
            Image.fromarray(STRIPES).save(path)
            folder.image(f'{name}.png', 64, 64)
    path.write_bytes(path.read_bytes()[:-30])
    beside = dict(type=kind, folder='beside', suffix=suffix)
    with pytest.raises(
        ValueError, match=f'1 {what} cannot be used.*b/c{suffix}'
    ):
        folder.load(beside, strict=True)


def test_a_missing_folder_of_images_is_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="images='train' is not .*: set images to"
    ):
        ImageFolder(str(tmp_path), images='train', pipeline=[])
