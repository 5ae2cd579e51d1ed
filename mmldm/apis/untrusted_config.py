"""What the config in a file of weights may ask for.

mmengine resolves a ``type`` with dots by importing it, so that building
``dict(type='os.system', command=...)`` runs it. A config file is code that
its user chose to run; a file of weights is not.
"""

import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from reprlib import Repr
from typing import Any

from mmldm.models.conditioners.tokenizers import Tokenizer
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.utils.checks import suggest

from .config import check_arguments
from .config.arguments import check_numbers

# What parts of a model may be.
REGISTRIES = (MODELS, DIFFUSION_SCHEDULERS)
# Keys that have mmengine import modules.
IMPORTS = ('custom_imports', '_scope_')
# What a config has that inherits from one of ours by ``mmldm::NAME``.
OWN_SCOPE = ('_scope_', 'mmldm')
# Keys of files that a model reads when it is built.
READS = re.compile(
    r'(.*_)?(checkpoint|weights|path|file|folder|dir)'
    r'|init_cfg|data_root|pretrained'
)
# A word, or the name of a model on a hub; no path that leads anywhere else.
WORD = re.compile(r'(?!\.)[\w.+-]+(/(?!\.)[\w.+-]+)?|', re.ASCII)
# Of the dotted path to a value; Python's stack holds some 900 dicts.
LONGEST_PATH = 500

_shorten = Repr()
_shorten.maxstring = _shorten.maxother = 80


def check_untrusted(
    config: Mapping[str, Any], source: str, may_read: bool = False
) -> None:
    """Raise unless building a model from ``config`` is harmless.

    Every ``type`` must be the name, without or with our scope, of a class
    that is registered already, by mmldm or by a module of the user's; nothing
    may be imported, and no file read but a tokenizer's. Nothing in the config
    is looked up before that is sure.

    Args:
        config: A model's, from a file that anybody may have written.
        source: The file, for messages.
        may_read: Let it name other files of weights, which are read as
            safely as this one.

    Raises:
        ValueError: Naming what the config asks for, or an argument that its
            class does not take.
    """
    if not isinstance(config, Mapping) or 'type' not in config:
        raise ValueError(f'{source}: its config names no type of model')
    names = _registered()
    remedy = 'is refused in a file of weights: write a config of your own'
    # Types before arguments: they say what a config is up to.
    for path, key, value, owner in sorted(
        _entries(config, 'model'), key=lambda entry: entry[1] != 'type'
    ):
        if not isinstance(value, list | tuple):
            check_numbers(f'{source}: {path}', value, infinite=True)
        told = f'{source}: its config says {path}={_shorten.repr(value)}, '
        if key == 'type':
            _check_type(value, names, told)
        elif key in IMPORTS and (key, value) != OWN_SCOPE:
            raise ValueError(f'{told}and importing {remedy}')
        elif may_read or value is None or _is_tokenizer(key, owner):
            continue
        elif READS.fullmatch(key):
            raise ValueError(f'{told}and reading another file {remedy}')
        elif isinstance(value, str) and not WORD.fullmatch(value):
            raise ValueError(
                f'{told}and what is no word or NAME or ORGANISATION/NAME of '
                f'a hub {remedy}'
            )
    check_arguments(config, 'model')


def _registered() -> set[str]:
    """Names of all that a model of ours, or the user's, may consist of."""
    for registry in REGISTRIES:
        registry.import_from_location()
    return {name for node in REGISTRIES for name in node.module_dict}


def tokenizer_folders(config: Mapping[str, Any]) -> list[str]:
    """Tokenizers that a config looks for in a folder, not by a name."""
    return [
        value
        for _, key, value, owner in _entries(config, 'model')
        if _is_tokenizer(key, owner)
        and isinstance(value, str)
        and not WORD.fullmatch(value)
    ]


def _is_tokenizer(key: str, owner: Any) -> bool:
    """Whether a folder with a vocabulary may be named: it is data."""
    if key == 'pretrained':
        cls = MODELS.module_dict.get(owner) if isinstance(owner, str) else None
        return inspect.isclass(cls) and issubclass(cls, Tokenizer)
    return key == 'tokenizer'


def _entries(node: Any, path: str) -> Iterator[tuple[str, str, Any, Any]]:
    """(dotted path, key, value, type of the dict) of all in a config.

    In lists the key is empty.

    Raises:
        ValueError: If the dicts are too deep to be built.
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


def _check_type(value: Any, names: Collection[str], told: str) -> None:
    if not isinstance(value, str) or value.removeprefix('mmldm.') not in names:
        # All valid names are too many to list.
        near = suggest(str(value)[:80], names).partition(' Valid names')[0]
        raise ValueError(
            f'{told}which is no registered part of a model{near.rstrip(".")}; '
            'nothing else is built from a file of weights: if it is your own, '
            'give the config file that imports its module first, or import '
            'the module before'
        )
