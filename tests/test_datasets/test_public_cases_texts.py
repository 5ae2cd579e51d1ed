"""Faults of captions, boxes and shards that people met in other tools."""

import json
import logging
import unicodedata

import pytest
from PIL import Image

from .making import SMALL, load, load_shards, one_line, png, save, shard


@pytest.mark.parametrize('empty', ['', ' \n', b'\xff\xfe\xfd'])
def test_an_empty_caption_of_a_shard_is_left_out(tmp_path, told, empty):
    shard(
        tmp_path / '0.tar',
        a__png=png(1),
        a__txt='one',
        b__png=png(2),
        b__txt=empty,
    )
    dataset = load_shards(tmp_path)
    assert [sample['captions'] for sample in dataset] == [['one']]
    assert one_line(told, '1 samples have', 'left out', '0.tar/b')
    with pytest.raises(ValueError, match='strict=True.*0.tar/b'):
        load_shards(tmp_path, strict=True)


def test_orphans_of_a_shard_are_left_out(tmp_path, told):
    shard(
        tmp_path / '0.tar',
        a__txt='no image',
        b__png=png(),
        b__txt='both',
        c__png=png(),
    )
    assert [s['captions'] for s in load_shards(tmp_path)] == [['both']]
    assert one_line(told, '1 samples have no image', 'a in')
    assert one_line(told, '1 samples have no .txt', '0.tar/c')


def test_a_name_ends_at_its_first_dot(tmp_path, told):
    shard(
        tmp_path / '0.tar',
        **{'x.y/0__jpg': png(7), 'x.y/0__seg__png': png(9)},
        **{'x.y/0__txt': 'one', './1__png': png(8), './1__txt': 'two'},
        **{'x.y/._0__jpg': b'\0\5\x16\7'},
    )
    dataset = load_shards(tmp_path, strict=True)
    assert [s['img'][0, 0, 0] for s in dataset] == [7, 8]
    assert one_line(told, '.seg.png are not read') == logging.INFO


def test_a_shard_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path, told):
    shard(tmp_path / '0.tar', a__png=png(1), b__png=png(2))
    content = (tmp_path / '0.tar').read_bytes()
    (tmp_path / '0.tar').write_bytes(content[: 2 * 512 + 520])
    shard(tmp_path / '1.tar', c__png=png(3))
    assert [s['img'][0, 0, 0] for s in load_shards(tmp_path)] == [1, 3]
    assert one_line(told, '1 tar files are damaged', '0.tar')


def test_a_damaged_image_in_a_shard_is_left_out(tmp_path, told):
    shard(tmp_path / '0.tar', a__png=png(1)[:30], b__png=png(2))
    assert [s['img'][0, 0, 0] for s in load_shards(tmp_path)] == [2]
    assert one_line(told, '1 images cannot be read', '0.tar/a')


def test_compressed_shards_are_counted(tmp_path, told):
    shard(tmp_path / '0.tar', a__png=png(1))
    (tmp_path / '1.tar.gz').write_bytes(b'\x1f\x8b')
    (tmp_path / '2.tar').write_bytes(b'\x1f\x8b' + bytes(1000))
    assert len(load_shards(tmp_path)) == 1
    assert one_line(told, '1 compressed tar files', '1.tar.gz', 'unpack')
    assert one_line(told, '2.tar is damaged', 'compressed')


def coco(*boxes, names=('a.png',)):
    return dict(
        images=[
            dict(id=i, file_name=name, width=40, height=40)
            for i, name in enumerate(names)
        ],
        categories=[dict(id=1, name='cat')],
        annotations=[
            dict(id=i, image_id=0, category_id=1, bbox=box, caption='one')
            for i, box in enumerate(boxes)
        ],
    )


def load_coco(root, content, kind='CocoBoxes', **kwargs):
    save(root / 'images/a.png', SMALL.resize((40, 40)))
    if not isinstance(content, str):
        content = json.dumps(content)
    (root / 'c.json').write_text(content)
    return load(
        root, dict(type=kind, file='c.json'), images='images', **kwargs
    )


@pytest.mark.parametrize('kind', ['CocoBoxes', 'CocoCaptions'])
def test_images_of_coco_that_are_not_there_are_counted(tmp_path, told, kind):
    content = coco([1, 1, 4, 4], names=('a.png', 'b.png'))
    assert len(load_coco(tmp_path, content, kind)) == 1
    assert one_line(told, '1 entries name images', "'b.png'")
    with pytest.raises(ValueError, match="strict=True.*'b.png'"):
        load_coco(tmp_path, content, kind, strict=True)


def test_boxes_of_no_height_are_counted(tmp_path, told):
    dataset = load_coco(tmp_path, coco([1, 1, 4, 0], [0, 0, 20, 20]))
    assert dataset[0]['layout'] == [(0, (0, 0, 0.5, 0.5))]
    assert one_line(told, '1 boxes have no extent')


def test_boxes_a_pixel_outside_are_cut_with_a_count(tmp_path, told):
    dataset = load_coco(
        tmp_path, coco([-1, 0, 21, 20], [20, 20, 21, 20], [0, 0, 40.02, 20])
    )
    assert dataset[0]['layout'] == [
        (0, (0, 0, 0.5, 0.5)),
        (0, (0.5, 0.5, 0.5, 0.5)),
        (0, (0, 0, 1, 0.5)),
    ]
    assert one_line(told, '2 boxes reach outside', 'cut to it')


HUGE = '1' + '0' * 400


@pytest.mark.parametrize(
    'number', ['NaN', 'Infinity', '1e400', HUGE, '"1"', 'null', '[]', 'true']
)
def test_a_box_of_a_strange_number_costs_no_other(tmp_path, told, number):
    text = json.dumps(coco([0, 0, 20, 20], [-7, 1, 5, 5]))
    dataset = load_coco(tmp_path, text.replace('-7', number))
    assert dataset[0]['layout'] == [(0, (0, 0, 0.5, 0.5))]
    assert one_line(told, '1 boxes', '(id 1)')


@pytest.mark.parametrize(
    'name, key',
    [
        ('caf\u00e9.png', None),
        ('caf\u00e9.png', 'NFD'),
        ('b/c.png', 'b\\c.png'),
        ('b/c.png', './b//c.png'),
    ],
)
@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_names_are_found_in_another_form(tmp_path, name, key, form):
    save(tmp_path / 'images' / unicodedata.normalize(form, name))
    key = unicodedata.normalize(key, name) if key == 'NFD' else key or name
    row = json.dumps(dict(file_name=key, caption='one'))
    (tmp_path / 'c.jsonl').write_text(row)
    maps = tmp_path / 'maps' / unicodedata.normalize('NFC', name)
    save(maps, Image.new('L', (8, 8)))
    dataset = load(
        tmp_path,
        dict(type='Captions', file='c.jsonl'),
        dict(type='LabelMaps', folder='maps'),
        images='images',
        strict=True,
    )
    assert dataset[0]['captions'] == ['one']


def test_captions_in_an_old_encoding_are_named(tmp_path, told):
    for name in ('a.png', 'b.png'):
        save(tmp_path / name)
    rows = 'file_name,caption\na.png,\u732b\nb.png,cat\n'
    (tmp_path / 'c.csv').write_bytes(rows.encode('cp932'))
    dataset = load(tmp_path, dict(type='Captions', file='c.csv'))
    assert [sample['captions'] for sample in dataset] == [['cat']]
    assert one_line(told, '1 rows', 'c.csv, line 2', 'save it as UTF-8')


@pytest.mark.parametrize('suffix', ['.txt', '.caption'])
def test_captions_lie_beside_their_images(tmp_path, told, suffix):
    for name in ('a', 'b/c.d', 'empty', 'none'):
        save(tmp_path / f'{name}.png')
    (tmp_path / f'a{suffix}').write_text('\ufeffone\n\n two \n')
    (tmp_path / f'b/c.d{suffix}').write_text('three', encoding='utf-16')
    (tmp_path / f'empty{suffix}').write_text(' \n')
    dataset = load(tmp_path, dict(type='CaptionFiles'))
    assert [s['captions'] for s in dataset] == [['one', 'two'], ['three']]
    assert one_line(told, '1 captions are empty', 'empty')
    assert one_line(told, '2 images are left out, as CaptionFiles')


@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_captions_are_found_in_another_form_of_the_name(tmp_path, told, form):
    save(tmp_path / unicodedata.normalize(form, 'caf\u00e9.png'))
    (tmp_path / 'caf\u00e9.TXT').write_text('one')
    (tmp_path / 'other.txt').write_text('two')
    dataset = load(tmp_path, dict(type='CaptionFiles'), strict=True)
    assert [sample['captions'] for sample in dataset] == [['one']]
    assert one_line(told, '1 files of captions are not read', 'other.txt')
