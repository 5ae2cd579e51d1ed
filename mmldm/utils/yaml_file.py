"""YAML files, as OmegaConf reads them, and no larger than they look."""

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from .files import check_file

# Values in a file; the largest published config has some hundred.
MOST = 100_000
# Bytes of a file; values of 100 characters would be as many.
MOST_BYTES = 10**7
MERGE = 'tag:yaml.org,2002:merge'


class Loader(yaml.SafeLoader):
    """Plain YAML takes 1e-4, without a point, for a word."""


Loader.add_implicit_resolver(
    'tag:yaml.org,2002:float',
    re.compile(r'[-+]?\d[\d_]*[eE][-+]?\d+'),
    list('-+0123456789'),
)


def read_yaml(path: str | Path) -> Any:
    """The content of a YAML file; nothing in it is executed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no YAML, gives a key twice, or its references
            make more than :data:`MOST` values of it.
    """
    check_file('yaml file', path)
    try:
        return _parse(_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f'{path} is no yaml file: {error}') from error


def _text(path: str | Path) -> str:
    """What the file holds.

    Raises:
        ValueError: If that is too long, or no UTF-8.
    """
    if (size := Path(path).stat().st_size) > MOST_BYTES:
        raise ValueError(f'it has {size} bytes, more than {MOST_BYTES}')
    return Path(path).read_text(encoding='utf-8')


def _parse(text: str) -> Any:
    loader = Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        # Before values are made: a text of ten lines may name 10^9 of them.
        _count(root, {})
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _count(node: Node, counts: dict[int, int | None]) -> int:
    """Values below a node, as many times as it is referred to.

    Args:
        node: Of the document.
        counts: Of the nodes that were seen before; None of those above.

    Raises:
        ValueError: If there are too many, endlessly many, or keys twice.
    """
    if not isinstance(node, MappingNode | SequenceNode):
        return 1
    if id(node) in counts:
        if counts[id(node)] is None:
            raise ValueError(f'{_place(node)} refers to itself')
        return counts[id(node)]
    counts[id(node)] = None
    parts = node.value
    if isinstance(node, MappingNode):
        _check_keys(node)
        parts = [part for pair in node.value for part in pair]
    counts[id(node)] = 1 + sum(_count(part, counts) for part in parts)
    if counts[id(node)] > MOST:
        raise ValueError(f'it holds more than {MOST} values')
    return counts[id(node)]


def _check_keys(node: MappingNode) -> None:
    """Raise where a key is given twice, of which YAML takes the last."""
    seen = set()
    for key, _ in node.value:
        if key.tag == MERGE or not isinstance(key.value, str):
            continue
        if key.value in seen:
            raise ValueError(f'{_place(key)} gives {key.value!r} twice')
        seen.add(key.value)


def _place(node: Node) -> str:
    return f'line {node.start_mark.line + 1}'
