"""Poisoned folders, stored configs, indexes and tables."""

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import headers
import routes
import sound
import torch
from entries import CODE, COMMAND, EXPRESSION, Entry
from opcodes import NESTED, proto
from routes import Door, give
from strings import VALUES

from mmldm.utils.checkpoint import write_checkpoint


def entries() -> Iterator[Entry]:
    """What lies beside a model, or in its files."""
    yield from _tokenizers()
    yield from _model_folders()
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


def _tokenizers() -> Iterator[Entry]:
    for name, change in TOKENIZERS.items():
        yield Entry(
            'tokenizers of diffusers',
            name,
            partial(_change_tokenizer, change),
            routes.diffusers,
        )
        yield Entry(
            'tokenizers of model files',
            name,
            partial(_change_neighbour, change),
            lambda: routes.model('text.safetensors', '--prompt', 'a'),
        )


def _change_tokenizer(change: Callable, folder: Path) -> None:
    give('diffusers', to=folder)
    os.rename(folder / 'diffusers', folder / 'theirs')
    change(folder / 'theirs' / 'tokenizer')


def _change_neighbour(change: Callable, folder: Path) -> None:
    give('text.safetensors', 'tokenizer', to=folder)
    change(folder / 'tokenizer')


def _link(name: str, target: str) -> Callable[[Path], None]:
    def change(tokenizer: Path) -> None:
        (tokenizer / name).unlink(missing_ok=True)
        (tokenizer / name).symlink_to(target)

    return change


def _link_secret(name: str, file: str = '') -> Callable[[Path], None]:
    """To what the input has no right to: the harness puts it there."""

    def change(tokenizer: Path) -> None:
        secret = routes.SOUND.parent / 'secret' / file
        (tokenizer / name).unlink(missing_ok=True)
        (tokenizer / name).symlink_to(secret)

    return change


def _link_itself(tokenizer: Path) -> None:
    (tokenizer / 'more').symlink_to(tokenizer)


def _file(name: str, content: str) -> Callable[[Path], None]:
    return lambda tokenizer: _write(tokenizer / name, content)


def _write(path: Path, content: str) -> None:
    path.write_text(content)


def _with_code(**keys: Any) -> Callable[[Path], None]:
    """Names a class of the folder's own code."""

    def change(tokenizer: Path) -> None:
        for module in ('evil', 'tokenization_evil', 'tokenizer', '__init__'):
            _write(tokenizer / f'{module}.py', CODE)
        path = tokenizer / 'tokenizer_config.json'
        content = json.loads(path.read_text())
        _write(path, json.dumps({**content, **keys}))
        model = dict(model_type='evil', **keys)
        _write(tokenizer / 'config.json', json.dumps(model))

    return change


def _pipe(tokenizer: Path) -> None:
    (tokenizer / 'vocab.json').unlink()
    os.mkfifo(tokenizer / 'vocab.json')


def _expression(pattern: str) -> Callable[[Path], None]:
    """A regular expression that takes for ever."""

    def change(tokenizer: Path) -> None:
        path = tokenizer / 'tokenizer.json'
        content = json.loads(path.read_text())
        content['pre_tokenizer'] = dict(
            type='Split',
            pattern=dict(Regex=pattern),
            behavior='Isolated',
            invert=False,
        )
        _write(path, json.dumps(content))

    return change


TOKENIZERS: dict[str, Callable[[Path], None]] = {
    'link to a file outside': _link_secret('more.txt', 'file'),
    'link to a folder outside': _link_secret('more'),
    'vocab.json outside': _link_secret('vocab.json', 'file'),
    'tokenizer.json outside': _link_secret('tokenizer.json', 'file'),
    'link to nothing': _link('more.txt', '/nowhere/at/all'),
    'link to a device': _link('more.txt', '/dev/zero'),
    'vocab.json a device': _link('vocab.json', '/dev/zero'),
    'link to the process': _link('more', '/proc/self'),
    'link to itself': _link_itself,
    'a pipe': _pipe,
    'auto_map': _with_code(
        auto_map={'AutoTokenizer': ['evil.EvilTokenizer', None]},
        tokenizer_class='EvilTokenizer',
    ),
    'auto_map of a model': _with_code(
        auto_map={'AutoConfig': 'evil.Config', 'AutoModel': 'evil.Model'}
    ),
    'trusting': _with_code(trust_remote_code=True, code_revision='main'),
    'class of code': _with_code(tokenizer_class='os.system'),
    'class of the folder': _with_code(tokenizer_class='evil.Evil'),
    'chat_template': _with_code(
        chat_template=f'{{{{ {EXPRESSION} }}}}', bos_token=EXPRESSION
    ),
    'tokenizer_file': _with_code(tokenizer_file='/etc/passwd'),
    'vocab_file': _with_code(vocab_file='/etc/passwd', merges_file='/x'),
    'custom object': _with_code(backend='custom', _from_auto=True),
    'slow expression': _expression('(a+)+$|(b|b)*c'),
    'no expression': _expression('(((('),
    'vocab.json a list': _file('vocab.json', '[]'),
    'vocab.json of text ids': _file('vocab.json', '{"a": "os.system"}'),
    'vocab.json of large ids': _file('vocab.json', '{"a": 1000000000000}'),
    'tokenizer.json no JSON': _file('tokenizer.json', 'x'),
    'deep tokenizer.json': _file('tokenizer.json', '[' * 100_000),
    'a pickle': lambda t: (t / 'tokenizer.pkl').write_bytes(proto(4) + NESTED),
}
HELPERS = (
    *('sitecustomize.py', 'usercustomize.py', 'conftest.py', '__init__.py'),
    *('torch.py', 'mmldm.py', 'mmengine.py', 'yaml.py', 'numpy.py'),
    *('setup.py', 'pipeline.py', 'evil.pth'),
)


def _model_folders() -> Iterator[Entry]:
    """A folder somebody sent: drawing by it must not execute it."""
    for name in ('config.py', 'model.py', 'digits.py'):
        for weights in ('model.safetensors', 'iter_1.pth'):
            for poison, text in CONFIGS.items():
                yield Entry(
                    'folders with a config',
                    f'{poison} in {name} beside {weights}',
                    partial(_folder, name, text, weights),
                    lambda: routes.model('theirs', '--label', 1),
                    partial(_run, f'theirs/{name}'),
                )
    for name in HELPERS:
        for folder in ('theirs', '.'):
            yield Entry(
                'folders with code',
                f'{name} in {folder}',
                partial(_helper, folder, name),
                _commands,
            )


def _run(path: str) -> None:
    import runpy

    runpy.run_path(path)


def _folder(name: str, text: str, weights: str, folder: Path) -> None:
    (folder / 'theirs').mkdir()
    source = 'class.pth' if weights.endswith('pth') else 'class.safetensors'
    give(source, to=folder / 'theirs')
    os.rename(folder / 'theirs' / source, folder / 'theirs' / weights)
    digits = (routes.SOUND / 'digits.py').read_text()
    _write(folder / 'theirs' / name, text.format(config=digits))
    _write(folder / 'theirs' / 'evil', CODE)


CONFIGS = {
    'a statement': CODE + '\n{config}',
    'an expression': f'{{config}}\nx = {EXPRESSION}\n',
    'an import': 'import os\n{config}\nos.system("' + COMMAND + '")\n',
    'a lambda': f'{{config}}\ny = (lambda: {EXPRESSION})()\n',
    'a comprehension': f'{{config}}\nz = [{EXPRESSION} for _ in "a"]\n',
}


def _helper(where: str, name: str, folder: Path) -> None:
    give('diffusers', to=folder)
    os.rename(folder / 'diffusers', folder / 'theirs')
    text = f'import os; {EXPRESSION}' if name.endswith('.pth') else CODE
    _write(folder / where / name, f'{text}\n')


def _commands() -> list[Door]:
    """As typed in that folder, by another interpreter."""
    flags = ('--prompt', 'a', '--num', 1, '--steps', 1, '--out', 'drawn')
    return [Door(routes.typed('sample.py', 'theirs', *flags))]


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
    _write(custom / 'config.json', json.dumps(content))
    _write(custom / 'evil.py', CODE)
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
    config = sound.DATA.format(
        root=routes.SOUND,
        annotation=f"dict(type='Captions', file='{file}')",
        transforms=[dict(type='ChooseCaption')],
    )
    _write(folder / 'data.py', config)
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
