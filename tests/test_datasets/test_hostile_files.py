"""Files that would hang, swallow or crash a reader of data."""

import json
import logging
import os
import socket

import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import ImageShards, file_search
from mmldm.datasets.file_search import files_below
from mmldm.datasets.image_files import read_image

from .making import png, shard


@pytest.fixture
def said(told):
    """Whether one line has all words; its level."""

    def said(*words):
        ((level, _),) = [
            line for line in told if all(word in line[1] for word in words)
        ]
        return level

    return said


def listen(path):
    # A short name: sockets have no long ones.
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


SPECIAL = {
    'pipe': os.mkfifo,
    'socket': listen,
    'device': lambda path: path.symlink_to('/dev/zero'),
    'broken link': lambda path: path.symlink_to('nowhere.png'),
    'link to itself': lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize('kind', SPECIAL)
def test_what_is_no_regular_file_is_counted(folder, said, kind):
    SPECIAL[kind](folder.path / 'images/x.png')
    assert folder.values('size').keys() == {'a.png', 'b/c.png'}
    assert said('1 ', 'left out', 'images/x.png') == logging.WARNING
    with pytest.raises(ValueError, match='strict=True.*x.png'):
        folder.load(strict=True)


@pytest.mark.parametrize('kind', ['pipe', 'device'])
def test_what_is_no_regular_file_is_not_read(tmp_path, kind):
    SPECIAL[kind](tmp_path / 'x.png')
    with pytest.raises(
        ValueError, match='x.png cannot be read .not a regular'
    ):
        read_image(str(tmp_path / 'x.png'))


@pytest.mark.parametrize('kind', ['pipe', 'device'])
def test_files_beside_images_are_regular_files(folder, said, kind):
    for beside in ('maps', 'texts'):
        (folder.path / beside).mkdir()
    Image.new('L', (8, 4)).save(folder.path / 'maps/a.png')
    (folder.path / 'maps/b').mkdir()
    SPECIAL[kind](folder.path / 'maps/b/c.png')
    maps = dict(type='LabelMaps', folder='maps')
    assert folder.values('map_path', maps).keys() == {'a.png'}
    (folder.path / 'images/a.txt').write_text('one')
    SPECIAL[kind](folder.path / 'images/b/c.txt')
    captions = dict(type='CaptionFiles')
    assert folder.values('captions', captions) == {'a.png': ['one']}


def test_a_pipe_is_no_shard(tmp_path, said):
    os.mkfifo(tmp_path / 'x.tar')
    with pytest.raises(ValueError, match='no tar files.*x.tar'):
        ImageShards(str(tmp_path), pipeline=[])


def test_a_folder_with_the_name_of_an_image_is_a_folder(folder):
    folder.image('x.png/y.png')
    assert 'x.png/y.png' in folder.values('size')


def test_links_in_circles_end(folder, told):
    below = folder.path / 'images/b'
    (below / 'up').symlink_to(folder.path / 'images')
    (below / 'above').symlink_to(folder.path.parent)
    (below / 'self').symlink_to(below / 'self')
    (folder.path / 'images/twin').symlink_to(below)
    assert folder.values('size').keys() == {'a.png', 'b/c.png'}
    ((_, text),) = told
    assert '2 links to a folder that holds the data set' in text


def test_a_deep_tree_is_walked(tmp_path):
    path = tmp_path
    for _ in range(300):
        path = path / 'd'
    os.makedirs(path)
    (path / 'a.png').touch()
    assert len([*files_below(str(tmp_path), ('.png',))]) == 1


def test_a_folder_that_cannot_be_listed_is_counted(folder, said, monkeypatch):
    """The tests may run as root, whom nothing is forbidden."""
    scan = os.scandir

    def scandir(path):
        if str(path).endswith('/b'):
            raise PermissionError(13, 'Permission denied')
        return scan(path)

    monkeypatch.setattr(file_search.os, 'scandir', scandir)
    assert folder.values('size').keys() == {'a.png'}
    assert said('1 folders cannot be listed', 'images/b', 'Permission denied')


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_a_file_that_cannot_be_read_is_counted(folder, said):
    (folder.path / 'images/a.png').chmod(0)
    assert folder.values('size').keys() == {'b/c.png'}
    assert said('1 images cannot be read', 'a.png', 'Permission denied')


def test_names_of_any_bytes_can_be_said(folder, told):
    name = os.fsdecode(b'\xe9\n\x1b[31m.png')
    (folder.path / 'images' / name).write_text('no image')
    os.rename(
        folder.path / 'images/b/c.png',
        folder.path / 'images/b' / os.fsdecode(b'\xff.png'),
    )
    assert len(folder.load(split='train')) == 1
    ((_, text),) = told
    text.encode()
    assert '\\udce9\\n\\x1b[31m.png' in text and '\n' not in text


DEEP = '[' * 100_000 + ']' * 100_000
LONG = '9' * 5000


@pytest.mark.parametrize(
    'value, why',
    [
        (DEEP, 'nested too deeply'),
        (LONG, 'invalid JSON: Exceeds the limit'),
        ('"a\\ud800"', None),
    ],
)
def test_json_beyond_python_costs_its_row(folder, told, value, why):
    folder.text(
        'c.jsonl',
        f'{{"file_name": "a.png", "caption": "one"}}\n'
        f'{{"file_name": "b/c.png", "caption": ["two"], "x": {value}}}',
    )
    found = folder.values('captions', dict(type='Captions', file='c.jsonl'))
    assert found['a.png'] == ['one']
    assert ('b/c.png' in found) == (why is None)
    if why is not None:
        assert any('c.jsonl, line 2' in t and why in t for _, t in told)


@pytest.mark.parametrize('value', [DEEP, LONG])
@pytest.mark.parametrize('kind', ['CocoCaptions', 'CocoBoxes'])
def test_a_file_of_coco_beyond_python_is_refused_in_one_line(
    folder, value, kind
):
    folder.text('c.json', f'{{"images": {value}}}')
    with pytest.raises(ValueError, match='c.json is invalid JSON.*') as e:
        folder.load(dict(type=kind, file='c.json'))
    assert len(str(e.value)) < 300 and '\n' not in str(e.value)


def test_json_of_a_shard_beyond_python_costs_its_sample(tmp_path, said):
    shard(
        tmp_path / '0.tar',
        a__png=png(),
        a__json='{"text": "one"}',
        b__png=png(),
        b__json=DEEP,
        c__png=png(),
        c__json='{"text": ' + LONG + '}',
        d__png=png(),
        d__json=json.dumps(dict(text='x' * 2**21)),
    )
    dataset = ImageShards(str(tmp_path), pipeline=[], caption_key='text')
    assert [sample['captions'] for sample in dataset] == [['one']]
    # How many digits Python reads depends on what else is imported.
    assert said('samples have broken texts', '0.tar/b', 'nested')


def test_a_huge_cell_costs_its_row(folder, said):
    folder.text(
        'c.csv',
        'file_name,caption\na.png,' + 'x' * 200_000 + '\nb/c.png,one\n',
    )
    captions = dict(type='Captions', file='c.csv')
    assert folder.values('captions', captions) == {'b/c.png': ['one']}
    assert said('1 rows cannot be read', 'c.csv, line 2', 'limit')


def test_a_quote_left_open_is_refused_whatever_its_length(folder):
    text = 'file_name,caption\na.png,"one\n' + 'b/c.png,two\n' * 20_000
    folder.text('c.csv', text)
    with pytest.raises(ValueError, match='line 2 is broken.*quotes'):
        folder.load(dict(type='Captions', file='c.csv'))


@pytest.mark.parametrize('name', ['a\0.png', '', None, '../../a.png', '/'])
def test_a_strange_name_costs_its_row(folder, said, name):
    rows = [
        dict(file_name=name, caption='x'),
        dict(file_name='a.png', caption='one'),
    ]
    folder.text('c.jsonl', '\n'.join(map(json.dumps, rows)))
    captions = dict(type='Captions', file='c.jsonl')
    assert folder.values('captions', captions) == {'a.png': ['one']}
    assert said('1 entries name images', 'line 1')


@pytest.mark.parametrize(
    'text', ['file_name,caption,caption\n', 'file_name;caption\na.png;x\n']
)
def test_a_table_of_other_columns_is_refused(folder, text):
    folder.text('c.csv', text)
    with pytest.raises(ValueError, match="'caption' more than once|has no"):
        folder.load(dict(type='Captions', file='c.csv'))


@pytest.mark.parametrize('ends', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_tables_of_any_system_are_read(folder, ends, encoding):
    rows = ['file_name,caption', 'a.png,\u732b', 'b/c.png,"x, y"']
    (folder.path / 'c.csv').write_bytes(ends.join(rows).encode(encoding))
    captions = dict(type='Captions', file='c.csv')
    assert folder.values('captions', captions) == {
        'a.png': ['\u732b'],
        'b/c.png': ['x, y'],
    }


def test_enlarged_images_are_said(folder, said, told):
    """Unless a step of the pipeline has a size of its own."""
    for size in (4, 8191):
        told.clear()
        folder.load(size=size, pipeline=[dict(type='ResizeShorterSide')])
        if size > 4:
            said(
                '2 of 2 images',
                '8191x8191 pixels and are enl',
                '2.05e+03 times',
            )
    told.clear()
    step = dict(type='ResizeShorterSide', size=4)
    folder.load(size=8191, pipeline=[step])
    assert told == []


@pytest.mark.parametrize(
    'content', [b'', b'\x89PNG\r\n\x1a\n', b'GIF89a', b'BM', b'II*\0', b'RIFF']
)
@pytest.mark.parametrize('suffix', ['.png', '.tiff', '.tga', '.psd', '.ico'])
def test_rubbish_of_any_kind_costs_no_other(folder, said, content, suffix):
    noise = np.random.default_rng(0).bytes(200)
    (folder.path / f'images/x{suffix}').write_bytes(content + noise)
    (folder.path / f'images/y{suffix}').write_bytes(content)
    assert folder.values('size').keys() >= {'a.png', 'b/c.png'}
    assert said('images cannot be read and are left out', suffix)


@pytest.mark.parametrize('name', ['c\0.jsonl', 'x' * 5000 + '.jsonl'])
def test_a_file_of_a_strange_name_is_not_there(folder, name):
    with pytest.raises(FileNotFoundError, match='Captions.file'):
        folder.load(dict(type='Captions', file=name))
