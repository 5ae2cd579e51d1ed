"""Poisoned yaml and JSON."""

import copy
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import routes
import yaml
from entries import COMMAND, EXPRESSION, Entry
from routes import give
from sound_configs import YAML
from strings import KEYS, VALUES


def entries() -> Iterator[Entry]:
    """Configs of the original and of diffusers."""
    for name, text in SYNTAX.items():
        write = partial(_write_yaml, text)
        fuse = partial(_load_yaml, text) if '!!python' in text else None
        yield Entry('yaml', name, write, _compvis, fuse)
    for path in _paths(YAML, ''):
        for name, value in ODD.items():
            change = partial(_put, path, value)
            write = partial(_change_yaml, change)
            yield Entry('yaml values', f'{path}: {name}', write, _compvis)
    for where in YAML_DICTS:
        for name, key in KEYS.items():
            change = partial(_put_key, where, key)
            write = partial(_change_yaml, change)
            yield Entry('yaml keys', f'{where}: {name}', write, _compvis)
    yield from _json_entries()


def _compvis() -> list[routes.Door]:
    checkpoint = str(routes.SOUND / 'model.ckpt')
    return routes.compvis('model.yaml', checkpoint)


def _write_yaml(text: str, folder: Path) -> None:
    (folder / 'model.yaml').write_text(text, errors='surrogatepass')


def _load_yaml(text: str) -> None:
    yaml.unsafe_load(text)


def _change_yaml(change: Callable, folder: Path) -> None:
    content = copy.deepcopy(dict(model=YAML))
    change(content['model'])
    (folder / 'model.yaml').write_text(yaml.safe_dump(content))


def _paths(node: Any, path: str) -> Iterator[str]:
    """Of all values that are no dicts."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _paths(value, f'{path}{key}.')
        else:
            yield f'{path}{key}'


def _put(path: str, value: Any, content: dict[str, Any]) -> None:
    *steps, last = path.split('.')
    for step in steps:
        content = content[step]
    content[last] = copy.deepcopy(value)


def _put_key(where: str, key: str, content: dict[str, Any]) -> None:
    for step in filter(None, where.split('.')):
        content = content[step]
    content[key] = 1


YAML_DICTS = (
    *('', 'params', 'params.unet_config', 'params.unet_config.params'),
    *('params.first_stage_config.params',),
    *('params.first_stage_config.params.ddconfig',),
)
# In place of a sound value.
ODD: dict[str, Any] = {
    'dict with code as key': {f'x={EXPRESSION}, y': 1},
    'dict that closes a call': {f'x=1), {EXPRESSION}, dict(y': 1},
    'list of such dicts': [{f'x={EXPRESSION}, y': 1}],
    'closing quotes': VALUES['both quotes'],
    'template': VALUES['template of a variable'],
    'dotted function': 'os.system',
    'NaN': float('nan'),
    'infinite': float('inf'),
    '10^400': 10**400,
    'billion': 10**9,
    'negative': -1,
    'null': None,
    'deep': json.loads('[' * 300 + ']' * 300),
}
ODD_IN_JSON = (
    *('dict with code as key', 'dict that closes a call', 'closing quotes'),
    *('template', 'NaN', '10^400', 'billion', 'deep'),
)
PREFIX = 'model:\n  target: ldm.models.autoencoder.AutoencoderKL\n  params: '
TAGS = (
    f'!!python/object/apply:os.system [{COMMAND}]',
    f'!!python/object/new:os.system [{COMMAND}]',
    f'!!python/object/apply:subprocess.getoutput [{COMMAND}]',
    f'!!python/object/apply:builtins.eval ["{EXPRESSION}"]',
    f'!!python/object/apply:builtins.exec ["{EXPRESSION}"]',
    '!!python/object/apply:builtins.open [CANARY, w]',
    '!!python/object/apply:os.mkdir [CANARY]',
    '!!python/object/apply:logging.FileHandler [CANARY]',
    '!!python/object/new:logging.FileHandler [CANARY]',
    '!!python/object/apply:subprocess.Popen [[touch, CANARY]]',
    '!!python/object/new:type {args: [z, !!python/tuple [], {extend: '
    '!!python/name:exec }], listitems: "__import__(\'os\').system(1)"}',
    '!!python/name:os.system',
    '!!python/module:os',
    '!!python/tuple [1, 2]',
    '!!python/complex 1j',
    '!!python/bytes "aaaa"',
    '!!binary "aaaa"',
    '!!set {a, b}',
    '!!omap [a: 1]',
    '!!timestamp 2001-01-01',
    '!unknown {a: 1}',
    '!<tag:evil.com,2000:x> 1',
    '!!int "0x"',
    '!!float "x"',
    '!!int ' + '9' * 10_000,
)
SYNTAX: dict[str, str] = {
    **{f'{tag[:60]}': PREFIX + tag for tag in TAGS},
    **{
        f'key {tag[:60]}': f'{PREFIX}\n    ? {tag}\n    : 1\n'
        for tag in TAGS[:8]
    },
    'laughs': 'a: &a0 [x]\n'
    + ''.join(
        f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 9)}]\n'
        for i in range(1, 30)
    )
    + PREFIX
    + '*a29',
    'laughs of dicts': 'a: &a0 {x: 1}\n'
    + ''.join(
        f'a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n' for i in range(1, 60)
    )
    + PREFIX
    + '*a59',
    'merged laughs': 'a: &a0 {x: 1}\n'
    + ''.join(
        f'a{i}: &a{i}\n  <<: [{", ".join([f"*a{i - 1}"] * 9)}]\n  k{i}: 1\n'
        for i in range(1, 12)
    )
    + PREFIX
    + '*a11',
    'self-containing': PREFIX + '&a {x: *a}',
    'self-containing list': PREFIX + '&a [*a]',
    'self-merging': PREFIX + '&a {<<: *a}',
    'deep lists': PREFIX + '[' * 10_000 + ']' * 10_000,
    'deep dicts': PREFIX + '{a: ' * 5_000 + '1' + '}' * 5_000,
    'many brackets': '[' * 100_000,
    'many question marks': '? ' * 20_000,
    'long key': f'{"k" * 2_000}: 1\n' + PREFIX + '{}',
    'doubled keys': PREFIX + '{a: 1, a: 2}',
    'list as key': PREFIX + '{[1, 2]: 3}',
    'dict as key': PREFIX + '{{a: 1}: 3}',
    'number as key': PREFIX + '{1: 2, 1.5: 3, null: 4, true: 5}',
    'several documents': PREFIX + '{}\n---\na: 1\n',
    'empty': '',
    'nothing but a comment': '# x',
    'a word': 'x',
    'tabs': 'model:\n\tparams: 1\n',
    'NUL': PREFIX + '"a\\0b"',
    'raw NUL': PREFIX + 'a\0b',
    'surrogate': PREFIX + '"\\ud800"',
    'no UTF-8': PREFIX + 'a\udcff',
    'half of an anchor': PREFIX + '*nowhere',
    'directive': '%YAML 99.9\n---\n' + PREFIX + '{}',
    'directive of tags': '%TAG ! tag:yaml.org,2002:python/\n---\n'
    + PREFIX
    + f'!object/apply:os.system [{COMMAND}]',
    'sixty': PREFIX + '{embed_dim: 1:1:1}',
    'interpolation': PREFIX + '{embed_dim: "${oc.env:HOME}"}',
    'resolver': PREFIX + f'{{embed_dim: "${{oc.eval:{COMMAND}}}"}}',
}
FILES = (
    *('model_index.json', 'unet/config.json', 'vae/config.json'),
    *('scheduler/scheduler_config.json', 'text_encoder/config.json'),
    *('tokenizer/tokenizer_config.json', 'tokenizer/vocab.json'),
)


def _json_entries() -> Iterator[Entry]:
    for file in FILES:
        for name, key in KEYS.items():
            for value in (1, {key: 1}):
                kind = type(value).__name__
                yield _json_entry(
                    'JSON keys',
                    f'{file}: {name}, {kind}',
                    file,
                    partial(_add, key, value),
                )
        for name, text in TEXTS.items():
            yield _json_entry(
                'JSON texts', f'{file}: {name}', file, lambda _, t=text: t
            )
    for file in FILES[:6]:
        path = routes.SOUND / 'diffusers' / file
        for key in json.loads(path.read_text()):
            for name in ODD_IN_JSON:
                yield _json_entry(
                    'JSON values',
                    f'{file}: {key}: {name}',
                    file,
                    partial(_add, key, ODD[name]),
                )


def _json_entry(kind: str, name: str, file: str, change: Callable) -> Entry:
    write = partial(_change_json, file, change)
    return Entry(kind, name, write, routes.diffusers)


def _add(key: str, value: Any, content: dict[str, Any]) -> str:
    return json.dumps({**content, key: value})


def _change_json(file: str, change: Callable, folder: Path) -> None:
    give('diffusers', to=folder)
    (folder / 'diffusers').rename(folder / 'theirs')
    path = folder / 'theirs' / file
    text = change(json.loads(path.read_text()))
    path.write_text(text, errors='surrogatepass')


TEXTS: dict[str, str] = {
    'deep lists': '[' * 100_000 + ']' * 100_000,
    'deep dicts': '{"a":' * 100_000 + '1' + '}' * 100_000,
    'deep value': '{"sample_size":' + '[' * 900 + ']' * 900 + '}',
    'NaN': '{"sample_size": NaN}',
    '10^400': '{"sample_size": 1e400}',
    'million digits': '{"sample_size": ' + '9' * 10**6 + '}',
    'list': '[]',
    'null': 'null',
    'empty': '',
    'empty dict': '{}',
    'no UTF-8': '{"a": "\udcff"}',
    'surrogate': '{"_class_name": "\\ud800"}',
    'mark of UTF-8': '\ufeff{}',
    'code': f'{{"a": {EXPRESSION}}}',
    'class of code': '{"_class_name": "os.system"}',
    'auto_map': '{"auto_map": {"AutoModel": "evil.Model"}}',
    'ten megabytes': '{"a": "' + 'x' * 10**7 + '"}',
}
