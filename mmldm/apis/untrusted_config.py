"""Safety check of the config in a weights file.

mmengine imports a ``type`` with dots, so that building
``dict(type='os.system', command=...)`` runs a command. A config file is code
that its user chose to run; a weights file is not.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from inspect import isclass
from reprlib import Repr
from typing import Any

from mmldm.models.feature_networks import FeatureNetwork
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.utils.checks import suggest

from .config import check_arguments
from .config.arguments import check_numbers
from .referenced_files import files_of

# The attribute in which a class lists folders of data, such as a tokenizer's.
DATA = 'data_folders'
# Registries of the parts of a model.
REGISTRIES = (MODELS, DIFFUSION_SCHEDULERS)
# Keys that make mmengine import modules.
IMPORTS = ('custom_imports', '_scope_')
# A config that inherits by ``mmldm::NAME`` has this key and value.
OWN_SCOPE = ('_scope_', 'mmldm')
# A word, or the name of a model on a hub; a path elsewhere does not match.
WORD = re.compile(r'(?!\.)[\w.+-]+(/(?!\.)[\w.+-]+)?|', re.ASCII)
# Names of classes are shown and compared, never looked up.
NAMES = re.compile(r'model\.conditioner\.class_names\.\d+')
# Characters of a dotted path; Python's stack holds about 900 dicts.
LONGEST_PATH = 500

_shorten = Repr()
_shorten.maxstring = _shorten.maxother = 80


def check_untrusted(
    config: Mapping[str, Any], source: str, may_read: bool = False
) -> None:
    """Raise unless building a model from ``config`` is harmless.

    Every ``type`` must name a class that is registered already, by mmldm or
    by an imported module of the user; the scope ``mmldm.`` may precede the
    name. Nothing may be imported, and only a tokenizer's files may be read.
    No name of the config is looked up before these checks.

    Args:
        config: Config of a model, from a file that anybody may have written.
        source: The file's path, for messages.
        may_read: Allow the config to name other weights files, which are
            read as safely as this one.

    Raises:
        ValueError: Names the refused key and value, or an argument that its
            class does not have.
    """
    if not isinstance(config, Mapping) or 'type' not in config:
        raise ValueError(f'{source}: its config has no model type')
    names = _registered()
    remedy = 'is refused in a file of weights: write a config of your own'
    # Types before arguments: a wrong type is the more telling error.
    for path, key, value, owner in sorted(
        _entries(config, 'model'), key=lambda entry: entry[1] != 'type'
    ):
        if not isinstance(value, list | tuple):
            check_numbers(f'{source}: {path}', value, infinite=True)
        start = f'{source}: its config says {path}={_shorten.repr(value)}, '
        if key == 'type':
            _check_type(value, names, start)
        elif key in IMPORTS and (key, value) != OWN_SCOPE:
            raise ValueError(f'{start}and importing {remedy}')
        elif (
            may_read
            or value is None
            or NAMES.fullmatch(path)
            or key in files_of(owner, DATA)
        ):
            continue
        elif key in files_of(owner):
            raise ValueError(f'{start}and reading another file {remedy}')
        elif isinstance(value, str) and not WORD.fullmatch(value):
            raise ValueError(
                f'{start}and a text other than a word or a name on a hub, '
                f'NAME or ORGANISATION/NAME, {remedy}'
            )
    check_arguments(config, 'model')


def _is_harmless(path: str, key: str, owner: Any) -> bool:
    """Whether any text is allowed: folders of data, and names of classes."""
    return key in files_of(owner, DATA) or bool(NAMES.fullmatch(path))


def _registered() -> set[str]:
    """Names of all registered parts of models.

    Feature networks judge models and are no part of one; some would be
    downloaded.
    """
    for registry in REGISTRIES:
        registry.import_from_location()
    return {
        name
        for node in REGISTRIES
        for name, cls in node.module_dict.items()
        if not (isclass(cls) and issubclass(cls, FeatureNetwork))
    }


def tokenizer_folders(config: Mapping[str, Any]) -> list[str]:
    """Tokenizers that a config names by a folder, not by a hub's name."""
    return [
        value
        for _, key, value, owner in _entries(config, 'model')
        if key in files_of(owner, DATA)
        and isinstance(value, str)
        and not WORD.fullmatch(value)
    ]


def _entries(node: Any, path: str) -> Iterator[tuple[str, str, Any, Any]]:
    """(dotted path, key, value, type of the dict) for all config values.

    The key of a list's item is empty.

    Raises:
        ValueError: If the dicts are nested too deeply to be built.
    """
    if len(path) > LONGEST_PATH:
        raise ValueError(f'{_shorten.repr(path)} is nested too deeply')
    if isinstance(node, Mapping):
        owner = node.get('type')
        items = [(key, key, value) for key, value in node.items()]
    elif isinstance(node, list | tuple):
        owner = None
        items = [(str(i), '', value) for i, value in enumerate(node)]
    else:
        return
    for step, key, value in items:
        below = f'{path}.{step}'
        yield below, key, value, owner
        yield from _entries(value, below)


def _check_type(value: Any, names: Collection[str], start: str) -> None:
    if not isinstance(value, str) or value.removeprefix('mmldm.') not in names:
        # All valid names are too many to list.
        near = suggest(str(value)[:80], names).partition(' Valid names')[0]
        raise ValueError(
            f'{start}which is not a registered part of a model'
            f'{near.rstrip(".")}; nothing else is built from a weights file: '
            'if the class is your own, import its module first, or give the '
            'config file that imports it'
        )
