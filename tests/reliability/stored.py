"""Poisoned configs in checkpoints, indexes of images, and tables."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import headers
import routes
import torch
from entries import CODE, COMMAND, EXPRESSION, Entry
from opcodes import NESTED, proto
from routes import give
from sound_configs import DATA
from strings import VALUES

from mmldm.utils.checkpoint import write_checkpoint


def entries() -> Iterator[Entry]:
    """What stands in files that are read as data."""
    for name, text in STORED.items():
        write = partial(_stored, text)
        fuse = partial(_execute, text) if 'CANARY' in text else None
        yield Entry('stored configs', name, write, routes.checkpoint, fuse)
    for name, told in INDEXES.items():
        yield Entry('indexes', name, partial(_index, told), routes.index)
    for name, (file, text) in TABLES.items():
        yield Entry(
            'tables',
            name,
            partial(_table, file, text),
            routes.captions,
        )


def _stored(text: str, folder: Path) -> None:
    give('class.pth', to=folder)
    path = folder / 'class.pth'
    content = torch.load(path, weights_only=True)
    config = content['meta']['cfg']
    content['meta']['cfg'] = text.replace('CONFIG', config)
    write_checkpoint(content, path)


def _execute(text: str) -> None:
    exec(text.replace('CONFIG', 'model = {}'), {})


STORED: dict[str, str] = {
    'a statement': f'{CODE}\nCONFIG',
    'an expression': f'CONFIG\nx = {EXPRESSION}\n',
    'an import': f'import os\nCONFIG\nos.system("{COMMAND}")\n',
    'a call of dict': f'CONFIG\nx = dict(a={EXPRESSION})\n',
    'a default': f'CONFIG\ndef f(x={EXPRESSION}): pass\n',
    'a decorator': f'@({EXPRESSION})\ndef f(): pass\nCONFIG',
    'a class': f'class A:\n    {CODE}\nCONFIG',
    'a lambda': f'CONFIG\nx = (lambda: {EXPRESSION})()\n',
    'a format': f'CONFIG\nx = f"{{{EXPRESSION}}}"\n',
    'a comprehension': f'CONFIG\nx = [{EXPRESSION} for _ in "a"]\n',
    'a walrus': f'CONFIG\nx = [y := {EXPRESSION}]\n',
    'an operator': f'CONFIG\nx = 1 + {EXPRESSION}\n',
    'a condition': f'CONFIG\nx = 1 if {EXPRESSION} else 2\n',
    'an assert': f'CONFIG\nassert {EXPRESSION} == 0\n',
    'a key': f'CONFIG\nx = {{{EXPRESSION}: 1}}\n',
    'an unpacked dict': f'CONFIG\nx = {{**{{1: {EXPRESSION}}}}}\n',
    'an annotation': f'CONFIG\nx: {EXPRESSION} = 1\n',
    'a subscript': f'CONFIG\nx = [1, 2][{EXPRESSION}]\n',
    'another dict': f'dict = print\nCONFIG\nx = dict({EXPRESSION})\n',
    '_base_': "_base_ = '/etc/passwd'\nCONFIG",
    'custom_imports': "CONFIG\ncustom_imports = dict(imports=['evil'])\n",
    'template': "CONFIG\nx = '{{ fileDirname }}'\n",
    'power': 'CONFIG\nx = 9 ** 9 ** 9\n',
    'long list': 'CONFIG\nx = [0] * 10 ** 10\n',
    'shift': 'CONFIG\nx = 1 << 10 ** 10\n',
    'deep lists': 'CONFIG\nx = ' + '[' * 10_000 + ']' * 10_000,
    'deep calls': 'CONFIG\nx = ' + 'dict(a=' * 5_000 + '1' + ')' * 5_000,
    'deep minus': 'CONFIG\nx = ' + '-' * 50_000 + '1',
    'many digits': 'CONFIG\nx = ' + '9' * 100_000,
    'ten megabytes': "CONFIG\nx = '" + 'x' * 10**7 + "'\n",
    'NUL': 'CONFIG\nx = "\0"\n',
    'coding': '# -*- coding: utf-7 -*-\nCONFIG',
    'type of code': "model = dict(type='os.system', command='touch CANARY')",
    'type list': "model = dict(type=['os.system'])",
    'no model': 'x = 1',
    'model a list': 'model = []',
    'empty': '',
    'no config': 'syntax error here',
    'another first stage': "CONFIG\nmodel['autoencoder_checkpoint'] = 'x'",
}


def _index(told: dict[str, Any] | str, folder: Path) -> None:
    """An index whose metadata say something else; evil folders beside it."""
    for name in ('evil', 'custom'):
        (folder / name).mkdir()
        give('clip', to=folder / name)
    evil = folder / 'evil' / 'clip'
    (evil / 'model.safetensors').unlink()
    (evil / 'pytorch_model.bin').write_bytes(proto(4) + NESTED)
    custom = folder / 'custom' / 'clip'
    content = json.loads((custom / 'config.json').read_text())
    content['auto_map'] = {'AutoModel': 'evil.Model'}
    (custom / 'config.json').write_text(json.dumps(content))
    (custom / 'evil.py').write_text(CODE)
    path = routes.SOUND / 'index.safetensors'
    header, data = headers.split(path.read_bytes())
    if isinstance(told, dict):
        before = json.loads(header['__metadata__']['mmldm_index'])
        told = json.dumps(before | told)
    header['__metadata__'] = {'mmldm_index': told}
    content = headers.joined(header, data)
    (folder / 'index.safetensors').write_bytes(content)


INDEXES: dict[str, Any] = {
    'an encoder with a pickle': dict(encoder='evil/clip'),
    'an encoder with code': dict(encoder='custom/clip'),
    **{
        f'encoder: {name}': dict(encoder=value)
        for name, value in VALUES.items()
    },
    **{
        f'encoder {value!r:.20}': dict(encoder=value)
        for value in (5, None, [], {'a': 1}, True)
    },
    'digest a number': dict(digest=5),
    'digest empty': dict(digest=''),
    'no JSON': 'x',
    'a list': '[]',
    'deep': '[' * 100_000,
    'empty': '{}',
}


def sound_table(folder: Path) -> None:
    """Captions with nothing wrong."""
    _table('t.csv', SOUND_TABLE, folder)


def _table(file: str, text: str, folder: Path) -> None:
    give('images', to=folder)
    config = DATA.format(
        root=routes.SOUND,
        annotation=f"dict(type='Captions', file='{file}')",
        transforms=[dict(type='ChooseCaption')],
    )
    (folder / 'data.py').write_text(config)
    with open(folder / 'images' / file, 'w', errors='surrogateescape') as out:
        out.write(text)


START = 'file_name,caption\n'


def _line(**fields: Any) -> str:
    """The other images have their captions; one line is another."""
    rows = [dict(file_name=f'{name}.png', caption='a b') for name in 'bcda']
    rows[-1] |= fields
    return ''.join(f'{json.dumps(row)}\n' for row in rows)


SOUND_TABLE = START + ''.join(f'{name}.png,a b\n' for name in 'abcd')
TABLES: dict[str, tuple[str, str]] = {
    **{
        f'{name} as {key} in JSON': ('t.jsonl', _line(**{key: value}))
        for key in ('file_name', 'caption')
        for name, value in VALUES.items()
    },
    'formula': ('t.csv', f'{START}a.png,=cmd|"/c touch CANARY"!A1\n'),
    'code': ('t.csv', f'{START}a.png,"{EXPRESSION}"\n'),
    'a link out': ('t.csv', f'{START}../../secret/file,a\n'),
    'open quote': ('t.csv', START + 'a.png,"a' + '\n' * 100_000),
    'long cell': ('t.csv', START + 'a.png,' + 'x' * 10**6 + '\n'),
    'many columns': ('t.csv', START + ',' * 10**6 + '\n'),
    'NUL': ('t.tsv', 'file_name\tcaption\na.png\ta\0b\n'),
    'deep': ('t.jsonl', '[' * 100_000 + '\n'),
    'deep caption': (
        't.jsonl',
        '{"file_name": "a.png", "caption": ' + '[' * 900 + ']' * 900 + '}',
    ),
    'NaN': ('t.jsonl', '{"file_name": NaN, "caption": 1e999}\n'),
    'million digits': (
        't.jsonl',
        '{"file_name": "a.png", "caption": ' + '9' * 10**6 + '}\n',
    ),
    'surrogate': (
        't.jsonl',
        '{"file_name": "a.png", "caption": "\\ud800"}\n',
    ),
    'no UTF-8': ('t.csv', f'{START}a.png,\udcff\n'),
    'list': ('t.jsonl', '[]\n'),
    'empty': ('t.csv', ''),
    'header alone': ('t.csv', START),
}
