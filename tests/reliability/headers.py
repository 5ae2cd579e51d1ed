"""Files of safetensors with headers that lie."""

import copy
import json
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import routes
from entries import CODE, COMMAND, Entry
from strings import KEYS, VALUES

KEY = 'mmldm'
NAME = 'class.safetensors'


def entries() -> Iterator[Entry]:
    """Model files."""
    for name, change in HEADERS.items():
        yield entry('headers', name, partial(_change_header, change))
    for name, change in CONTENTS.items():
        yield entry('bytes', name, partial(_change_bytes, change))
    for path in PATHS:
        for kind, arguments in TYPES.items():
            node = dict(type=json.loads(kind), **arguments)
            change = partial(put, path, node)
            fuse = partial(_build, node) if kind in ARMED else None
            yield entry(f'{path}.type', kind, in_config(change), fuse)
    for where in ('', 'denoiser', 'conditioner.embedders.0', 'guidance'):
        for name, key in KEYS.items():
            path = f'{where}.'.lstrip('.')
            change = partial(_put_key, path, key)
            yield entry(f'keys of {where}', name, in_config(change))
    for name, value in VALUES.items():
        change = partial(put, 'conditioner.embedders.0.slot', value)
        yield entry('values', name, in_config(change))
    for name, text in METADATA.items():
        yield entry('metadata', name, partial(_metadata, text))


def entry(
    kind: str, name: str, write: Callable, fuse: Callable | None = None
) -> Entry:
    """A model file, which is drawn by and published."""
    return Entry(
        f'safetensors {kind}'.replace(KEY, ''),
        name,
        write,
        lambda: routes.model(NAME, '--label', 1),
        fuse,
    )


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and data."""
    (length,) = struct.unpack('<Q', content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: Any, data: bytes) -> bytes:
    """A file; the header may be its text."""
    text = header if isinstance(header, str) else json.dumps(header)
    encoded = text.encode()
    return struct.pack('<Q', len(encoded)) + encoded + data


def _sound() -> tuple[dict[str, Any], bytes]:
    return split((routes.SOUND / NAME).read_bytes())


def _change_header(change: Callable, folder: Path) -> None:
    header, data = _sound()
    first = next(key for key in header if key != '__metadata__')
    changed = change(header, first)
    (folder / NAME).write_bytes(joined(changed, data))


def _change_bytes(change: Callable, folder: Path) -> None:
    content = (routes.SOUND / NAME).read_bytes()
    (folder / NAME).write_bytes(change(content))


def _metadata(text: str, folder: Path) -> None:
    header, data = _sound()
    header['__metadata__'] = {KEY: text}
    (folder / NAME).write_bytes(joined(header, data))


def in_config(change: Callable) -> Callable[[Path], None]:
    """Writes the sound file with a change of its config."""

    def write(folder: Path) -> None:
        header, _ = _sound()
        content = json.loads(header['__metadata__'][KEY])
        change(content['config'])
        _metadata(json.dumps(content), folder)
        (folder / 'evil.py').write_text(f'{CODE}\n')

    return write


def put(path: str, value: Any, config: dict[str, Any]) -> None:
    """A value at a dotted path."""
    *steps, last = path.split('.')
    node: Any = config
    for step in steps:
        node = node[int(step)] if isinstance(node, list) else node[step]
    node[int(last) if isinstance(node, list) else last] = copy.deepcopy(value)


def _put_key(path: str, key: str, config: dict[str, Any]) -> None:
    node: Any = config
    for step in filter(None, path.split('.')):
        node = node[int(step)] if isinstance(node, list) else node[step]
    node[key] = 'os.system'


def _build(node: dict[str, Any]) -> None:
    """As any toolbox does that trusts its config."""
    import sys

    from mmengine.registry import build_from_cfg

    from mmldm.registry import MODELS

    sys.path.insert(0, '.')
    build_from_cfg(dict(node), MODELS)


PATHS = (
    *('autoencoder', 'denoiser', 'conditioner.embedders.0', 'guidance'),
    *('diffusion_scheduler', 'diffusion_scheduler.solver'),
)
# By their JSON: names that lead to what is no part of a model.
TYPES: dict[str, dict[str, Any]] = {
    '"os.system"': dict(command=COMMAND),
    '"os.popen"': dict(cmd=COMMAND),
    '"os.mkdir"': dict(path='CANARY'),
    '"subprocess.Popen"': dict(args=['touch', 'CANARY']),
    '"subprocess.getoutput"': dict(cmd=COMMAND),
    '"builtins.eval"': dict(),
    '"builtins.open"': dict(file='CANARY', mode='w'),
    '"io.open"': dict(file='CANARY', mode='w'),
    '"logging.FileHandler"': dict(filename='CANARY'),
    '"timeit.timeit"': dict(stmt=CODE, number=1),
    '"cProfile.run"': dict(statement=CODE),
    '"runpy.run_path"': dict(path_name='evil.py'),
    '"importlib.import_module"': dict(name='evil'),
    '"mmengine.Config.fromfile"': dict(filename='evil.py'),
    '"mmengine.utils.mkdir_or_exist"': dict(dir_name='CANARY'),
    '"torch.load"': dict(f='evil.pt', weights_only=False),
    '"torch.hub.load"': dict(repo_or_dir='.', model='x', source='local'),
    '"transformers.AutoModel"': dict(),
    '"evil.Module"': dict(),
    '"mmdet.Module"': dict(),
    '"mmldm.models.LatentDiffusion"': dict(),
    '"LatentDiffusion"': dict(),
    '"Conv2d"': dict(in_channels=1, out_channels=1, kernel_size=1),
    '"PretrainedInit"': dict(checkpoint='evil.pt'),
    '""': dict(),
    '".."': dict(),
    'null': dict(),
    '5': dict(),
    '["os.system"]': dict(),
    '{"type": "os.system"}': dict(),
}
ARMED = [*TYPES][:14]


def _deep(depth: int, opening: str, closing: str) -> str:
    return opening * depth + '1' + closing * depth


METADATA: dict[str, str] = {
    'no JSON': 'x',
    'code': CODE,
    'list': '[]',
    'null': 'null',
    'config null': '{"config": null}',
    'config a list': '{"config": []}',
    'config a text': '{"config": "os.system"}',
    'no type': '{"config": {}}',
    'NaN': '{"config": {"type": NaN}}',
    '10^400': '{"config": {"type": 1e400}}',
    'deep lists': _deep(100_000, '[', ']'),
    'deep dicts': _deep(100_000, '{"config":', '}'),
    'deep config': '{"config": ' + _deep(400, '{"type":', '}') + '}',
    'deeper config': '{"config": ' + _deep(900, '{"type":', '}') + '}',
    'million digits': '{"config": {"type": ' + '9' * 10**6 + '}}',
    'surrogates': '{"config": {"type": "\\ud800"}}',
    'doubled keys': '{"config": {"type": "a"}, "config": {"type": "b"}}',
    'ten megabytes': '{"config": {"type": "' + 'x' * 10**7 + '"}}',
}


def _set(path: str, value: Any) -> Callable:
    def change(header: dict[str, Any], first: str) -> dict[str, Any]:
        header[first][path] = value
        return header

    return change


def _extra(name: str, node: Any) -> Callable:
    return lambda header, first: {**header, name: node}


FLOAT = dict(dtype='F32', shape=[1], data_offsets=[0, 4])
HEADERS: dict[str, Callable] = {
    **{
        f'{key}={value!r:.30}': _set(key, value)
        for key, values in (
            ('dtype', ('F31', 'os.system', None, 5, '', 'F64', 'F8_E4M3')),
            ('shape', ([-1], [2**63], [0], [2**40, 2**40], None, 'x', [1.5])),
            (
                'data_offsets',
                ([0, 2**62], [4, 0], [-4, 4], [2**64, 4], [0], None, [0, 3]),
            ),
        )
        for value in values
    },
    'overlapping': _extra('other', FLOAT),
    'name of code': _extra(CODE, FLOAT),
    'long name': _extra('x' * 10**6, FLOAT),
    'hole': lambda header, first: {
        k: v for k, v in header.items() if k != first
    },
    'empty': lambda header, first: {},
    'list': lambda header, first: [],
    'no JSON': lambda header, first: 'x' * 100,
    'deep': lambda header, first: _deep(100_000, '[', ']'),
    'metadata of numbers': _extra('__metadata__', {KEY: 5}),
    'metadata a list': _extra('__metadata__', []),
    'no metadata': _extra('__metadata__', {}),
    'spaces': lambda header, first: ' ' * 10**7,
    'doubled name': lambda header, first: (
        json.dumps(header)[:-1] + f', "{first}": {json.dumps(FLOAT)}}}'
    ),
}
CONTENTS: dict[str, Callable] = {
    **{
        f'header of {length}': lambda c, length=length: (
            struct.pack('<Q', length) + c[8:]
        )
        for length in (0, 1, 2**20, 2**31, 2**40, 2**63, 2**64 - 1)
    },
    **{
        f'cut at {part:.1%}': lambda c, part=part: c[: int(len(c) * part)]
        for part in (0, 1e-6, 0.0001, 0.001, 0.5, 0.999)
    },
    'longer': lambda c: c + b'x' * 100,
    'a pickle': lambda c: b'\x80\x04cos\nsystem\n(X\x0c\0\0\0touch CANARYtR.',
    'zeros': lambda c: bytes(1000),
}
