"""PNG files that carry the settings which reproduce them."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from mmldm.engine.generation_loop import GROUP
from mmldm.models.editors import LatentDiffusion
from mmldm.utils.checkpoint import as_hex, weights_hash
from mmldm.utils.files import check_file
from mmldm.utils.nested import unequal
from mmldm.utils.weight_files import file_hash
from mmldm.utils.whole_files import replaced
from mmldm.version import __version__

from .arguments import SAMPLING, split_sampling
from .request_files import PICTURES
from .results import SETTINGS

# Parts of the settings that do not say which image is wanted.
ABOUT_THE_RUN = ('batch', 'made_with')
# Keys that all images of ``LatentDiffusionInferencer`` have.
OF_CALL = {'seed', 'number', 'size'}
NO_IMAGE = (OSError, ValueError, SyntaxError)
END = b'IEND\xaeB`\x82'  # the last bytes of every PNG file


def write_picture(
    image: np.ndarray, path: Path, settings: Mapping[str, Any]
) -> None:
    """Write a PNG file with settings, under its name only once whole.

    Args:
        image: uint8 RGB (H, W, 3).
        path: The file; its folder is made.
        settings: Plain values; ``Image.open(path).info['mmldm']`` is their
            JSON.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = PngInfo()
    text.add_text(SETTINGS, json.dumps(settings, allow_nan=False))
    with replaced(path) as aside:
        Image.fromarray(image).save(aside, 'PNG', pnginfo=text)


def read_settings(path: str | Path) -> dict[str, Any]:
    """The settings in an image of this library.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it has none.
    """
    check_file('image', path)
    try:
        with Image.open(path) as image:
            image.load()  # chunks may follow the pixels
            settings = json.loads(image.info.get(SETTINGS, ''))
    except (*NO_IMAGE, Image.DecompressionBombError) as error:
        raise ValueError(
            f'{path} holds no settings of mmldm: give a PNG file as '
            'tools/sample.py writes it, not edited by another program'
        ) from error
    if isinstance(settings, dict) and settings.keys() >= OF_CALL:
        settings = _of_call(settings)
    if not _is_of_a_plan(settings):
        raise ValueError(
            f'{path} has settings of another form than those that '
            f'mmldm {__version__} writes: give an image of '
            'tools/sample.py, of a call or of the page'
        )
    return settings


def _of_call(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an image of a call, or of the page, in this form.

    They do not say how many images were generated at a time: it is the number
    that calls and the page take on a CPU.
    """
    sampling, arguments = split_sampling(settings)
    number = arguments.pop('number')
    batch = dict(size=GROUP, place=0)
    return dict(
        arguments=arguments, sampling=sampling, number=number, batch=batch
    )


def _is_of_a_plan(settings: Any) -> bool:
    """Whether settings have the form of those of ``SampleWriter``."""
    try:
        arguments, number = settings['arguments'], settings['number']
        size, place = settings['batch']['size'], settings['batch']['place']
        sides = arguments.get('size', (1, 1))
        ends = arguments.get('interpolate', (0, 0))
        wholes = number, size, place, arguments.get('frames', 2), *ends
        return (
            {*settings['sampling']} <= {*SAMPLING}
            and len(ends) == 2
            and isinstance(sides, list | tuple)
            and isinstance(arguments.get('fields', {}), dict)
            and ('frames' in arguments) == ('interpolate' in arguments)
            and all(type(whole) is int for whole in wholes)
            and number >= 0
            and 0 <= place < size
        )
    except (AttributeError, KeyError, TypeError):
        return False


def is_written(path: Path, settings: Mapping[str, Any]) -> bool:
    """Whether a file is the whole image that settings describe."""
    try:
        with open(path, 'rb') as file:
            file.seek(-len(END), os.SEEK_END)
            whole = file.read() == END
        if not whole:
            return False
        with Image.open(path) as image:
            found = json.loads(image.info.get(SETTINGS, ''))
            image.verify()
    except (*NO_IMAGE, Image.DecompressionBombError):
        return False
    wanted = json.loads(json.dumps(settings))
    return isinstance(found, dict) and _image(found) == _image(wanted)


def _image(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide how an image looks."""
    return {k: v for k, v in settings.items() if k not in ABOUT_THE_RUN}


def model_mark(model: LatentDiffusion) -> dict[str, str]:
    """What identifies a model: hashes of weights and config.

    Names of files in the config do not count.
    """
    weights = as_hex(weights_hash(model.state_dict()))
    config = getattr(model, 'cfg', None)
    text = (
        ''
        if config is None
        else json.dumps(
            _without_files(config.model.to_dict()), sort_keys=True, default=str
        )
    )
    return dict(
        weights=weights, config=hashlib.sha256(text.encode()).hexdigest()
    )


def _without_files(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            name: _without_files(value)
            for name, value in node.items()
            # 'base' is that of an adapter, whose weights have its hash.
            if not name.endswith('_checkpoint') and name != 'base'
        }
    return [*map(_without_files, node)] if isinstance(node, list) else node


def made_with(model: LatentDiffusion) -> dict[str, Any]:
    """Versions and device, on which the last bits of pixels depend."""
    device = next(model.parameters()).device
    name = f'{torch.get_num_threads()} threads'
    if device.type == 'cuda':
        name = torch.cuda.get_device_name(device)
    return dict(
        mmldm=__version__,
        torch=torch.__version__,
        device=f'{device.type}, {name}',
    )


def as_plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as JSON has them; pictures by name and hash of their files."""
    plain = {}
    for name, value in arguments.items():
        if name in PICTURES:
            plain[name] = _file_record(value)
        elif name == 'fields':
            plain[name] = {k: _file_record(v) for k, v in value.items()}
        elif isinstance(value, Tensor):  # features of retrieval
            plain[name] = dict(sha256=as_hex(weights_hash({name: value})))
        else:
            plain[name] = value
    return plain


def differences(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    """Names of the settings that differ, such as ``model.weights``."""
    stored = (json.loads(json.dumps(side)) for side in (now, then))
    return sorted(path for path, *_ in unequal(*stored))


def _file_record(paths: Any) -> Any:
    if isinstance(paths, list | tuple):
        return [_file_record(path) for path in paths]
    return dict(file=str(paths), sha256=file_hash(paths))


def restored(
    settings: Mapping[str, Any], given: Mapping[str, Any], source: str
) -> dict[str, Any]:
    """The arguments that settings describe.

    Args:
        settings: From :func:`read_settings`.
        given: Files to take in place of those that the settings name.
        source: Name of the image, for messages.

    Raises:
        FileNotFoundError, ValueError: If a picture is missing or another one,
            or an argument is not in the settings.
    """
    arguments = dict(settings['arguments'])
    if 'features' in arguments:
        raise ValueError(
            f'{source} was made of features found in a database, which its '
            'settings do not hold: give --database and the query again'
        )
    for name in PICTURES:
        if name in arguments:
            arguments[name] = _same_file(
                arguments[name], given.get(name), f'{source}: {name}'
            )
    if 'fields' in arguments:
        own = given.get('fields') or {}
        arguments['fields'] = {
            name: _same_file(record, own.get(name), f'{source}: {name}')
            for name, record in arguments['fields'].items()
        }
    if 'size' in arguments:
        arguments['size'] = tuple(arguments['size'])
    return arguments


def _same_file(record: Any, given: Any, where: str) -> Any:
    """The path of a file with the recorded content."""
    if isinstance(record, list):
        paths = [None] * len(record) if given is None else given
        if len(paths) != len(record):
            raise ValueError(
                f'{where} was {len(record)} images, got {len(paths)}'
            )
        pairs = zip(record, paths, strict=True)
        return [_same_file(r, path, where) for r, path in pairs]
    known = record if isinstance(record, dict) else {}
    path = known.get('file') if given is None else given
    if not isinstance(path, str | Path):
        raise ValueError(f'{where}={record!r} must be the name of a file')
    check_file(where, path)
    if file_hash(path) != known.get('sha256'):
        raise ValueError(
            f'{where} was made of another picture than {path} is now: give '
            'the one of then'
        )
    return path
