"""Zip files of torch that are not what they say."""

import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import routes
from entries import Entry
from opcodes import FORMS, POP, proto

Files = list[tuple[str, bytes]]
HOSTILE = FORMS['GLOBAL REDUCE']
# Bytes of zeros that a bomb unpacks to.
BOMB = 2**31


def entries() -> Iterator[Entry]:
    """Checkpoints of the original, and of trainings."""
    for name, route in (
        ('model.ckpt', lambda: routes.compvis(_yaml(), 'model.ckpt')),
        ('class.pth', routes.checkpoint),
    ):
        for kind, made in (('contents', CONTENTS), ('bytes', BYTES)):
            for what, change in made.items():
                yield Entry(
                    f'zip {kind} of {name}',
                    what,
                    partial(_write, name, change, kind),
                    route,
                )


def _yaml() -> str:
    return str(routes.SOUND / 'model.yaml')


def _write(name: str, change: Callable, kind: str, folder: Path) -> None:
    if kind == 'bytes':
        content = bytearray((routes.SOUND / name).read_bytes())
        (folder / name).write_bytes(bytes(change(content)))
        return
    with zipfile.ZipFile(routes.SOUND / name) as archive:
        files = [(n, archive.read(n)) for n in archive.namelist()]
    root = files[0][0].partition('/')[0]
    with zipfile.ZipFile(folder / name, 'w') as archive:
        change(archive, root, files)


def _put(archive: zipfile.ZipFile, files: Files) -> None:
    for name, content in files:
        archive.writestr(name, content)


def _pickle(files: Files) -> bytes:
    return next(c for n, c in files if n.endswith('data.pkl'))


def _evil(files: Files) -> bytes:
    return proto(4) + HOSTILE + POP + _pickle(files)[2:]


def _traversal(target: str) -> Callable:
    def change(archive: zipfile.ZipFile, root: str, files: Files) -> None:
        _put(archive, [*files, (target, b'x')])

    return change


def _first_evil(archive: zipfile.ZipFile, root: str, files: Files) -> None:
    _put(archive, [(f'{root}/data.pkl', _evil(files)), *files])


def _last_evil(archive: zipfile.ZipFile, root: str, files: Files) -> None:
    _put(archive, [*files, (f'{root}/data.pkl', _evil(files))])


def _other_root(archive: zipfile.ZipFile, root: str, files: Files) -> None:
    _put(archive, [('evil/data.pkl', _evil(files)), *files])


def _deflated(archive: zipfile.ZipFile, root: str, files: Files) -> None:
    for name, content in files:
        archive.writestr(name, content, zipfile.ZIP_DEFLATED)


def _bomb(name: str) -> Callable:
    def change(archive: zipfile.ZipFile, root: str, files: Files) -> None:
        _put(archive, [f for f in files if f[0] != f'{root}/{name}'])
        info = zipfile.ZipInfo(f'{root}/{name}')
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, 'w', force_zip64=True) as file:
            for _ in range(BOMB // 2**20):
                file.write(bytes(2**20))

    return change


def _without(name: str) -> Callable:
    def change(archive: zipfile.ZipFile, root: str, files: Files) -> None:
        _put(archive, [f for f in files if f[0] != f'{root}/{name}'])

    return change


def _instead(name: str, content: bytes) -> Callable:
    def change(archive: zipfile.ZipFile, root: str, files: Files) -> None:
        rest = [f for f in files if f[0] != f'{root}/{name}']
        _put(archive, [*rest, (f'{root}/{name}', content)])

    return change


def _link(archive: zipfile.ZipFile, root: str, files: Files) -> None:
    """Storage 0 is a symbolic link to a file outside."""
    _put(archive, [f for f in files if not f[0].endswith('data/0')])
    info = zipfile.ZipInfo(f'{root}/data/0')
    info.external_attr = 0o120777 << 16
    archive.writestr(info, '/etc/passwd')


def _many(archive: zipfile.ZipFile, root: str, files: Files) -> None:
    _put(archive, [*files, *((f'{root}/x{i}', b'') for i in range(60_000))])


CONTENTS: dict[str, Callable] = {
    'path up': _traversal('../CANARY'),
    'path far up': _traversal('a/../../../CANARY'),
    'absolute path': _traversal('/tmp/CANARY_of_zip'),
    'path of Windows': _traversal('..\\CANARY'),
    'path up in the root': _traversal('archive/../CANARY'),
    'NUL in a name': _traversal('archive/data.pkl\0.txt'),
    'long name': _traversal('x' * 60_000),
    'evil data.pkl first': _first_evil,
    'evil data.pkl last': _last_evil,
    'evil data.pkl in another root': _other_root,
    'compressed': _deflated,
    'bomb as data.pkl': _bomb('data.pkl'),
    'bomb as a storage': _bomb('data/0'),
    'bomb as byteorder': _bomb('byteorder'),
    'bomb as version': _bomb('version'),
    'bomb as a stranger': _bomb('stranger'),
    'no data.pkl': _without('data.pkl'),
    'no storage': _without('data/0'),
    'no version': _without('version'),
    'short storage': _instead('data/0', b''),
    'long storage': _instead('data/0', bytes(2**20)),
    'big endian': _instead('byteorder', b'big'),
    'odd byte order': _instead('byteorder', b'\xff\xfe'),
    'version 10^9': _instead('version', b'1000000000'),
    'version that is no number': _instead('version', b'x'),
    'empty data.pkl': _instead('data.pkl', b''),
    'TorchScript': _instead('constants.pkl', b'\x80\x02N.'),
    'link': _link,
    'sixty thousand files': _many,
}


def _cut(part: float) -> Callable:
    return lambda content: content[: int(len(content) * part)]


def _end(content: bytearray) -> int:
    """Where the end of the central directory is."""
    return content.rindex(b'PK\5\6')


def _entry_field(offset: int, kind: str, number: int) -> Callable:
    """Another number in the first entry of the central directory."""

    def change(content: bytearray) -> bytearray:
        start = content.index(b'PK\1\2')
        struct.pack_into(kind, content, start + offset, number)
        return content

    return change


def _end_field(offset: int, kind: str, number: int) -> Callable:
    def change(content: bytearray) -> bytearray:
        struct.pack_into(kind, content, _end(content) + offset, number)
        return content

    return change


def _flip(seed: int) -> Callable:
    """A hundred bytes of others."""

    def change(content: bytearray) -> bytearray:
        import random

        rng = random.Random(seed)
        for _ in range(100):
            content[rng.randrange(len(content))] = rng.randrange(256)
        return content

    return change


BYTES: dict[str, Callable] = {
    **{f'cut at {p:.0%}': _cut(p) for p in (0, 0.01, 0.3, 0.7, 0.95, 0.999)},
    **{f'flipped bytes {i}': _flip(i) for i in range(10)},
    'in front of the zip': lambda c: b'#!/bin/sh\ntouch CANARY\n' + c,
    'behind the zip': lambda c: c + b'\ntouch CANARY\n',
    'a zip in the comment': lambda c: c + c,
    'encrypted': _entry_field(8, '<H', 1),
    'unknown compression': _entry_field(10, '<H', 99),
    'size 0': _entry_field(24, '<I', 0),
    'size 2^32 - 2': _entry_field(24, '<I', 2**32 - 2),
    'place behind the end': _entry_field(42, '<I', 2**31),
    'no entries': _end_field(10, '<H', 0),
    'too many entries': _end_field(10, '<H', 65_534),
    'directory at 0': _end_field(16, '<I', 0),
    'directory behind the end': _end_field(16, '<I', 2**31),
    'long comment': _end_field(20, '<H', 65_535),
    'empty': lambda c: b'',
    'zeros': lambda c: bytes(len(c)),
    'letters': lambda c: b'x' * len(c),
}
