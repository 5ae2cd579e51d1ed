"""What docs/en/data.md says can be read."""

import csv
import json
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmldm.datasets.annotations import Annotations
from mmldm.registry import DATASETS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs/en/data.md').read_text()
NAMES = ('a/0.png', 'b/1.png')
BOX_COLUMNS = (
    *('ImageID', 'LabelName', 'XMin', 'XMax', 'YMin', 'YMax'),
    'IsGroupOf',
)


def rows():
    """Annotation, transform, whether it comes first, field; of the table."""
    for line in PAGE.splitlines():
        if line.startswith('| `dict('):
            annotation, _, step, field = line.split(' | ')
            transform = re.match(r'`(dict\(.*?\))`', step)
            field = re.match('`(.*?)`', field)
            yield pytest.param(
                annotation.removeprefix('| ').strip('`'),
                transform and transform[1],
                'behind `LoadImage`' in step,
                field and field[1],
                id=annotation.split("'")[1],
            )


def test_the_table_has_all_annotations():
    """But those of a test, and what the page itself has one derive from."""
    found = {
        name
        for name, cls in DATASETS.module_dict.items()
        if issubclass(cls, Annotations) and cls.__module__.startswith('mmldm.')
    }
    assert {row.id for row in rows()} == found


@pytest.fixture
def data(tmp_path):
    """Two images with all that may lie beside them."""
    data = tmp_path / 'data'
    for i, name in enumerate(NAMES):
        image = np.full((40, 48, 3), 90 * i, np.uint8)
        half = np.zeros((40, 48), np.uint8)
        half[:20] = 1
        for folder, picture in (
            ('images', image),
            ('maps', half),
            ('masks', 255 * half),
            ('photos', image),
        ):
            path = data / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture)
        path = (data / 'features' / name).with_suffix('.npy')
        path.parent.mkdir(parents=True)
        np.save(path, np.ones((2, 8), np.float32))
        path = (data / 'tokens' / name).with_suffix('.npy')
        path.parent.mkdir(parents=True)
        np.save(path, np.arange(8))
        (data / 'images' / name).with_suffix('.txt').write_text('a cat')
    write_texts(data)
    return data


def write_texts(data):
    shown = re.search(r'`({"file_name.*?})`', PAGE)[1]
    lines = [shown, shown.replace(*NAMES)]
    (data / 'captions.jsonl').write_text('\n'.join(lines))
    images = [
        dict(id=i, file_name=name, width=48, height=40)
        for i, name in enumerate(NAMES)
    ]
    boxes = [
        dict(id=i, image_id=i, bbox=[4, 4, 20, 20], category_id=7)
        for i in range(2)
    ]
    captions = [dict(id=i, image_id=i, caption='a cat') for i in range(2)]
    (data / 'captions.json').write_text(
        json.dumps(dict(images=images, annotations=captions))
    )
    categories = [dict(id=7, name='cat')]
    (data / 'instances.json').write_text(
        json.dumps(
            dict(images=images, annotations=boxes, categories=categories)
        )
    )
    (data / 'classes.csv').write_text(re.search('`(/m/.*?)`', PAGE)[1])
    with open(data / 'boxes.csv', 'w', newline='') as file:
        table = csv.writer(file)
        table.writerow(BOX_COLUMNS)
        for name in NAMES:
            stem = Path(name).stem
            table.writerow([stem, '/m/01', 0.1, 0.5, 0.1, 0.5, 0])


@pytest.mark.parametrize('annotation, transform, first, field', rows())
def test_a_row_of_the_table_is_read(data, annotation, transform, first, field):
    pipeline = [
        dict(type='LoadImage'),
        dict(type='ResizeShorterSide'),
        dict(type='Crop', random=True),
        dict(type='PackInputs'),
    ]
    if transform is not None:
        pipeline.insert(1 if first else -1, eval(transform))
    config = dict(type='ImageFolder', data_root=str(data), images='images')
    dataset = DATASETS.build(
        dict(
            config, size=32, annotations=[eval(annotation)], pipeline=pipeline
        )
    )
    assert len(dataset) == 2
    sample = dataset[0]['data_samples']
    assert field is None or field in sample


def test_the_config_is_browsed_as_shown(data, call_tool, monkeypatch):
    monkeypatch.chdir(data.parent)
    (block,) = re.findall(r'```python\n(.*?)```', PAGE, re.S)
    name = re.match(r'# (\S+\.py)\n', block)[1]
    Path(name).write_text(block.replace('/path/to/mmldm', str(ROOT)))
    (command,) = re.findall(r'```bash\npython \$MMLDM/tools/(.*?)\n```', PAGE)
    tool, *flags = shlex.split(command)
    call_tool(tool.removesuffix('.py'), *flags)
    assert len([*Path('browsed').iterdir()]) == 2 + 1
