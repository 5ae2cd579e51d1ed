"""Files of requests."""

import pytest
from PIL import Image

from mmldm.apis.inference.request_files import read_rows


@pytest.fixture
def write(tmp_path):
    """Writes a file of rows beside a picture ``a.png``."""
    Image.new('RGB', (8, 8)).save(tmp_path / 'a.png')

    def write(name, text):
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


def test_rows_of_every_format_are_the_same(write, tmp_path):
    json_lines = write(
        'rows.jsonl',
        '{"label": "cat", "seed": 3, "num": 2, "size": [8, 12]}\n\n'
        '{"prompt": "a, b", "image": "a.png", "strength": 0.5}\n'
        '{"layout": [[1, [0, 0, 1, 1]]], "like": "a.png"}\n',
    )
    table = write(
        'rows.csv',
        '\ufefflabel,seed,num,size,prompt,image,strength,layout,like\r\n'
        'cat,3,2,"[8, 12]",,,,,\r\n'
        ',,,,"a, b",a.png,0.5,,\r\n'
        ',,,,,,,"[[1, [0, 0, 1, 1]]]","[""a.png""]"\r\n',
    )
    picture = str(tmp_path / 'a.png')
    expected = [
        dict(label='cat', seed=3, num=2, size=(8, 12)),
        dict(prompt='a, b', image=picture, strength=0.5),
        dict(layout=[[1, [0, 0, 1, 1]]], like=[picture]),
    ]
    for path in (json_lines, table):
        assert [row.arguments for row in read_rows(path)] == expected
    assert [row.where[-6:] for row in read_rows(json_lines)] == [
        *('line 1', 'line 3', 'line 4')
    ]


def test_a_text_file_has_a_prompt_a_line(write):
    rows = read_rows(write('rows.txt', ' a cat\n\n{"a": "dog"}\n'))
    prompts = [row.arguments['prompt'] for row in rows]
    assert prompts == ['a cat', '{"a": "dog"}']
    assert [row.where[-6:] for row in rows] == ['line 1', 'line 3']


@pytest.mark.parametrize(
    'name, text, message',
    [
        ('a.json', '', "a.json: extension='.json' is not known"),
        ('a.txt', ' \n', 'a.txt has no rows'),
        ('a.jsonl', '{"label": 1}\n{"label": }', 'a.jsonl line 2 is not JSON'),
        ('a.jsonl', '{"label": 1}\n3', 'a.jsonl line 2 must be an object'),
        ('a.jsonl', '{"lable": 1}', "line 1: key='lable' is not .*'label'"),
        ('a.jsonl', '{"image": "b.png"}', 'line 1: image .*b.png does not'),
        ('a.jsonl', '{"like": ["a.png", 3]}', 'line 1: like: 3 must be the'),
        ('a.jsonl', '{"fields": "a.png"}', 'line 1: fields must be an object'),
        ('a.jsonl', '{"fields": {"x": "y"}}', 'line 1: fields x .*y does not'),
        ('a.csv', 'label,seed\n1,2\n3,x\n', "line 3: seed='x' is not a num"),
        ('a.csv', 'label,seed\n1\n', 'line 2 has another number of cells'),
        ('a.csv', 'label\n1,2\n', 'line 2 has another number of cells'),
        ('a.csv', 'layout\nx\n', 'line 2: layout is not JSON'),
        ('a.csv', 'seed,label,seed\n1,2,3\n', "line 1 has 'seed' twice"),
        ('a.jsonl', '{"seed": 1, "seed": 2}', "line 1 .*'seed' twice: leave"),
        ('a.csv', 'color\nx\n', "line 2: key='color' is not known"),
    ],
)
def test_a_bad_row_is_named_with_its_line(write, name, text, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_rows(write(name, text))


def test_other_bytes_than_text_are_refused(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ValueError, match='a.txt is not UTF-8 text'):
        read_rows(path)
