import pytest

from mmldm.datasets.transforms import ChooseObjects


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


def test_the_annotated_shape_is_given_along(folder):
    folder.text('b.json', objects([2, 1, 4, 2]))
    boxes = dict(type='CocoBoxes', file='b.json')
    assert folder.values('annotated_shape', boxes) == {'a.png': (4, 8)}
    folder.image('a.png', height=8, width=4)
    with pytest.raises(ValueError, match='a.png is 8x4, not 4x8'):
        folder.load(boxes)


def test_images_with_few_objects_are_left_out(folder):
    content = objects([2, 1, 4, 2])
    folder.text('b.json', content)
    for least, images in ((0, {'a.png', 'b/c.png'}), (1, {'a.png'})):
        boxes = dict(type='CocoBoxes', file='b.json', min_objects=least)
        assert folder.values('layout', boxes).keys() == images
    with pytest.raises(ValueError, match='=2, but none of the 2 images.*1'):
        folder.load(dict(boxes, min_objects=2))


def with_note(**more):
    content = objects([2, 1, 4, 2])
    content['annotations'][0].update(more)
    return content


def with_more(key, record):
    content = objects([2, 1, 4, 2])
    return content | {key: [*content[key], record]}


NAN = float('nan')
NOTE = r'b.json, annotations\[0\] \(id 1\)'


@pytest.mark.parametrize(
    'content, message',
    [
        (with_note(bbox=[2, 1, 7, 2]), f'{NOTE} lies outside.*a.png'),
        (with_note(bbox=[2, -1, 4, 2]), r'\(0.25, -0.25, 0.5, 0.5\)'),
        (
            with_note(bbox=[2, 1, -1, 2]),
            f'{NOTE} has a negative width in.*a.p',
        ),
        (with_note(bbox=[2, 1, 4]), r'is \[2, 1, 4\].*expected \[x, y, w, h'),
        (with_note(bbox=None), f'{NOTE} has the bbox None, expected .x'),
        (with_note(bbox='1234'), f"{NOTE} has the bbox '1234', expected"),
        (with_note(bbox=['2', 1, 4, 2]), 'expected .x, y, w, h. in pixels'),
        (with_note(bbox=[NAN, 1, 4, 2]), f'{NOTE} has a number that is not'),
        (with_note(bbox=[2, 1, NAN, 2]), f'{NOTE} has a number that is not'),
        (with_note(category_id=6), f'{NOTE} has the class 6.*2 cat'),
        (with_note(category_id=[5]), r'has the category_id \[5\], expected'),
        (with_note(image_id=9), f'{NOTE} has image_id 9'),
        (
            with_note(image_id=[7]),
            r'the image_id \[7\], expected a whole',
        ),
        (
            with_more('images', 'x'),
            r"b.json, images\[2\] is 'x', expected a dict",
        ),
        (with_more('annotations', 'x'), r"annotations\[1\] is 'x', expected"),
        (
            with_more('images', dict(file_name='a.png')),
            r'images\[2\] has no id',
        ),
        (
            with_more('images', dict(id=3, file_name='a.png')),
            r'images\[2\] \(id 3\) has the id of .*images\[1\] \(id 3\)',
        ),
        (with_more('categories', dict(id=5, name='x')), 'has the id of'),
        (
            with_more('categories', dict(id='b', name='x')),
            "has the id 'b', expected a whole number",
        ),
        (with_more('categories', dict(id=6)), 'id 6. has no name'),
        (with_more('categories', 'x'), r"categories\[2\] is 'x', expected"),
        (
            dict(objects([2, 1, 4, 2]), categories=None),
            "b.json has no list 'categories'.*instances_train2017.json",
        ),
        (dict(images={'0': 1}), "b.json has no list 'images'"),
        (
            dict(
                objects([2, 1, 4, 2]),
                images=[dict(id=7, file_name='a.png', width=8)],
            ),
            r'b.json, images\[0\] .* has the height and width \(None, 8\)',
        ),
        ('{"images": [', 'b.json is invalid JSON'),
        ([], "b.json has no list 'images'"),
        (
            coco(annotations=[], categories=CATEGORIES),
            "b.json has no list 'annotations'",
        ),
        (
            coco(
                annotations=[dict(id=1, image_id=7, caption='x')],
                categories=CATEGORIES,
            ),
            'has no valid annotations.*train2017.json.*has no bbox',
        ),
        (
            dict(objects([2, 1, 4, 2]), images=[dict(id=7, file_name='d')]),
            "names the image 'd', which is missing",
        ),
    ],
)
def test_a_broken_file_of_coco_is_refused_by_entry(folder, content, message):
    folder.text('b.json', content)
    with pytest.raises(ValueError, match=message):
        folder.load(dict(type='CocoBoxes', file='b.json'), strict=True)


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


def test_classes_of_open_images_have_the_published_numbers(folder):
    """The numbering of taming-transformers puts /m/01s55n last."""
    ids = ['/m/0k0pj', '/m/01s55n', '/m/011k07', '/m/01s105', '/m/01tcjp']
    boxes = open_images(
        folder,
        ''.join(f'a,{key},0,1,0,1,0\n' for key in ids),
        ''.join(f'{key},Name of {key}\n' for key in ids),
    )
    (layout,) = folder.values('layout', boxes).values()
    assert [label for label, _ in layout] == [3, 4, 0, 1, 2]
    assert folder.load(boxes).metainfo['classes'][4] == 'Name of /m/01s55n'


@pytest.mark.parametrize(
    'broken, message',
    [
        (dict(rows='a,/m/1,0,1.5,0,1,0\n'), 'line 2 lies outside.*a.png'),
        (
            dict(rows='a,/m/1,0.9,0.1,0,1,0\n'),
            'line 2 has XMin=0.9 > XMax=0.1',
        ),
        (
            dict(rows='a,/m/1,0,1,0.9,0.1,0\n'),
            'line 2 has YMin=0.9 > YMax=0.1',
        ),
        (dict(rows='a,/m/1,nan,1,0,1,0\n'), 'line 2 has a number that is not'),
        (dict(rows='a,/m/1,0\n'), 'line 2 has 3 columns, the header 7'),
        (
            dict(rows='', classes='/m/1,Cat\n/m/1,Cow\n'),
            'classes.csv, line 2 repeats the class /m/1',
        ),
        (
            dict(rows='z,/m/1,0,1,0,1,0\n'),
            'has 1 boxes, but none for the images',
        ),
        (dict(rows='a,/m/9,0,1,0,1,0\n'), 'no box of these images with a cl'),
        (dict(rows='a,/m/1,x,1,0,1,0\n'), 'line 2 has an invalid box'),
        (dict(rows='', header='ImageID\n'), 'b.csv has no column LabelName'),
        (dict(rows='', classes=''), 'classes.csv is empty'),
        (dict(rows='', classes='/m/1\n'), r"line 1 is \['/m/1'\], expected"),
        (dict(rows=''), 'b.csv has a header, but no boxes'),
    ],
)
def test_a_broken_file_of_open_images_is_refused_by_line(
    folder, broken, message
):
    boxes = open_images(folder, **broken)
    with pytest.raises(ValueError, match=message):
        folder.load(boxes, strict=True)


def test_boxes_of_other_classes_are_counted(folder, told):
    rows = ''.join(
        f'{image},/m/{label},0,1,0,1,0\n'
        for image, label in (('a', 1), ('a', 3), ('a', 4), ('d', 1), ('e', 5))
    )
    folder.load(open_images(folder, rows))
    texts = [text for _, text in told]
    assert 'images of' in texts[0] and 'missing, such as d' in texts[0]
    assert '2 boxes have a class' in texts[1] and '/m/3' in texts[1]


def test_two_images_of_one_name_are_refused(folder):
    folder.image('b/a.png')
    with pytest.raises(ValueError, match='mean both images a.png and b/a.png'):
        folder.load(open_images(folder, 'a,/m/1,0,1,0,1,0\n'))


@pytest.mark.parametrize('file', ['b.csv', 'classes.csv'])
def test_a_line_that_is_no_text_is_named(folder, file):
    boxes = open_images(folder, 'a,/m/1,0,1,0,1,0\n')
    with open(folder.path / file, 'ab') as stream:
        stream.write(b'\xe9')
    with pytest.raises(
        ValueError, match=f'{file}, line . is not a text in UTF'
    ):
        folder.load(boxes, strict=True)


def test_objects_are_chosen_at_random_and_large_enough():
    layout = [(i, (0, 0, 0.1 * i, 0.1)) for i in range(6)]
    seen = set()
    for _ in range(200):
        chosen = ChooseObjects(2, min_area=0.015)(dict(layout=layout))
        seen.add(tuple(c for c, _ in chosen['layout']))
        assert all(item in layout for item in chosen['layout'])
    # Two of the classes 2 to 5, in any order.
    assert len(seen) == 12
    assert {c for row in seen for c in row} == {2, 3, 4, 5}
    assert ChooseObjects()(dict(layout=[]))['layout'] == []


def test_several_annotations_meet(folder):
    folder.text('c.jsonl', '{"file_name": "a.png", "caption": "one"}')
    folder.text('b.json', objects([2, 1, 4, 2]))
    dataset = folder.load(
        dict(type='Captions', file='c.jsonl'),
        dict(type='CocoBoxes', file='b.json'),
        dict(type='ReferenceFiles', folder='images'),
    )
    assert len(dataset) == 1
    assert {'captions', 'layout', 'ref_path'} <= dataset[0].keys()
