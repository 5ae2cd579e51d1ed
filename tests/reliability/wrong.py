"""What is given to tools that is wrong, and the data that is damaged."""

import json

# None of them is right where a number, a name, a list or a dict is asked for.
VALUES = (
    *(-1, -(10**9), 10**9, 0.5, -0.5, 1e400, float('nan'), True, None),
    *('', 'x', 'None', '../x', '\u00e9', [], [None], [-1], ['x'], [[1]]),
    *({}, {'x': 1}, {'type': 'x'}, {'type': None}, {'type': 'Conv2d'}),
)
FLAGS = (
    *('-1', '0', '0.5', '1e9', '999999999', 'nan', 'inf', '-inf', 'x', ''),
    *('/dev/null', '.', '\u00e9', '1,2', '1 2', '0x10', '1e400'),
)
INSERTS = (b'\0', b'\xff', b'"', b'{', b']', b',', b'\n', b'-', b'9' * 400)
CAPTIONS = "dict(type='Captions', file='{file}')"
COCO = dict(
    images=[
        dict(id=i, file_name=f'{name}.png', width=12, height=12)
        for i, name in enumerate('abcd')
    ],
    categories=[dict(id=1, name='one'), dict(id=2, name='two')],
    annotations=[
        dict(
            id=i,
            image_id=i,
            category_id=1 + i % 2,
            bbox=[1, 1, 5, 6.5],
            area=32.5,
            iscrowd=0,
            caption='a caption',
        )
        for i in range(4)
    ],
)
ROWS = [dict(file_name=f'{name}.png', caption='a b') for name in 'abcd']
ANNOTATIONS = (
    ('t.jsonl', CAPTIONS, '\n'.join(map(json.dumps, ROWS))),
    (
        't.csv',
        CAPTIONS,
        'file_name,caption\n'
        + ''.join(f'{row["file_name"]},"a, b"\n' for row in ROWS),
    ),
    (
        't.tsv',
        CAPTIONS,
        'file_name\tcaption\n'
        + ''.join(f'{row["file_name"]}\ta b\n' for row in ROWS),
    ),
    ('c.json', "dict(type='CocoCaptions', file='{file}')", json.dumps(COCO)),
    (
        'b.json',
        "dict(type='CocoBoxes', file='{file}', min_objects=1)",
        json.dumps(COCO),
    ),
)
COMMON = ('--seed', '--cfg-options')
TOOLS = {
    'sample': (
        *('--num', '--seed', '--out', '--batch-size', '--device', '--label'),
        *('--prompt', '--negative', '--object', '--image', '--mask'),
        *('--low-res', '--map', '--like', '--field', '--size', '--database'),
        *('--num-neighbours', '--encoder', '--steps', '--window', '--scale'),
    ),
    'train': (*COMMON, '--resume', '--amp', '--work-dir', '--launcher'),
    'test': (*COMMON, '--out', '--show-dir', '--work-dir'),
    'model_converters/publish_model': ('--weights', '--config'),
    'analysis_tools/browse_dataset': (*COMMON, '--phase', '--num', '--out'),
}
