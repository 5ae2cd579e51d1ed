"""Reading of YAML files as OmegaConf does, with a bound on their size."""

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from .files import check_file

# Values in a file; the largest published config has some hundreds.
MOST = 100_000
# Bytes of a file, as of MOST values with 100 characters.
MOST_BYTES = 10**7
MERGE = 'tag:yaml.org,2002:merge'


class Loader(yaml.SafeLoader):
    """Loader that reads 1e-4 as a number; plain YAML reads a word."""


Loader.add_implicit_resolver(
    'tag:yaml.org,2002:float',
    re.compile(r'[-+]?\d[\d_]*[eE][-+]?\d+'),
    list('-+0123456789'),
)


def read_yaml(path: str | Path) -> Any:
    """Read a YAML file; nothing in it is executed.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not YAML, has a key twice, or has more than
            :data:`MOST` values, with its references expanded.
    """
    check_file('yaml file', path)
    try:
        return _parse(_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not a yaml file: {error}') from error


def _text(path: str | Path) -> str:
    """The text of the file.

    Raises:
        ValueError: If it is too long or not UTF-8.
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
        # Counted before values are made: ten lines can refer to 10^9.
        _count(root, {})
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _count(node: Node, counts: dict[int, int | None]) -> int:
    """Number of values below a node, with references expanded.

    Args:
        node: A node of the document.
        counts: Counts of the nodes seen so far, by id; None for the nodes
            above this one.

    Raises:
        ValueError: If there are too many values, a node contains itself, or
            a key occurs twice.
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
    """Raise if a key occurs twice; YAML would take the last one."""
    seen = set()
    for key, _ in node.value:
        if key.tag == MERGE or not isinstance(key.value, str):
            continue
        if key.value in seen:
            raise ValueError(f'{_place(key)} gives {key.value!r} twice')
        seen.add(key.value)


def _place(node: Node) -> str:
    return f'line {node.start_mark.line + 1}'
