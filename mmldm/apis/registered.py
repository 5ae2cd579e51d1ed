"""Classes that a config may name: those in a registry, and no others.

mmengine's ``Registry.get`` imports whatever a name with dots leads to, so
that ``type='os.system'`` is called when it is built. Here a name is looked up
in registries only, and what it does not find there is unknown.
"""

import contextlib
import importlib.util
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import mmengine.registry
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry

from mmldm import registry as registries

# Keys whose value names a class, besides the 'type' of every dict.
TYPE_KEYS = ('type', 'runner_type', 'constructor')


def find_class(name: str) -> Any | None:
    """The class or function that is registered as ``name``.

    ``NAME`` is looked up in all registries, ``SCOPE.NAME`` in those of a
    scope: of mmldm, of a toolbox of OpenMMLab, or of a project whose registry
    is imported. A class that is registered may be named by its whole path,
    ``package.module.Class``, as mmengine dumps it.

    Returns:
        None where nothing is registered by this name.
    """
    scope, _, last = name.rpartition('.')
    if '.' in scope:
        return _by_path(name)
    if scope in MODULE2PACKAGE:
        with contextlib.suppress(Exception):
            importlib.import_module(f'{scope}.registry')
    for registry in _registries():
        if scope and registry.scope != scope:
            continue
        if registry.scope in ('mmldm', scope):
            # A toolbox that is not installed in full fails to import.
            with contextlib.suppress(Exception):
                registry.import_from_location()
        if last in registry.module_dict:
            return registry.module_dict[last]
    return None


def _by_path(path: str) -> Any | None:
    """A registered class by module and name; nothing is imported."""
    for registry in _registries():
        for cls in registry.module_dict.values():
            module = getattr(cls, '__module__', None)
            if path == f'{module}.{getattr(cls, "__qualname__", "")}':
                return cls
    return None


def _registries() -> list[Registry]:
    """Ours, then mmengine's, then those of all other projects."""
    named = [*vars(registries).values(), *vars(mmengine.registry).values()]
    queue = [node for node in named if isinstance(node, Registry)]
    found: dict[int, Registry] = {}
    for node in queue:  # grows while it is walked
        if node is not None and id(node) not in found:
            found[id(node)] = node
            queue += [node.parent, *node.children.values()]
    return [*found.values()]


def _all_names() -> set[str]:
    return {name for node in _registries() for name in node.module_dict}


def check_type_names(config: Mapping[str, Any], path: str = '') -> None:
    """Raise where a config names a class that is in no registry.

    Args:
        config: Plain dicts and lists.
        path: The dotted key of ``config``, for messages.

    Raises:
        ValueError: Naming the key, the value and the nearest valid names.
    """
    for key, value in _named_classes(config, path):
        if callable(value):
            continue
        if not isinstance(value, str):
            raise ValueError(
                f'{key}={value!r:.80} must be the name of a registered class'
            )
        if find_class(value) is None:
            raise ValueError(f'{key}={value!r:.80} {_cause(value)}')


def _cause(name: str) -> str:
    """Why no class is found by this name, and what to do."""
    scope = name.partition('.')[0]
    if scope in MODULE2PACKAGE and not importlib.util.find_spec(scope):
        return (
            f'belongs to {scope}, which is not installed: pip install '
            f'{MODULE2PACKAGE[scope]}'
        )
    if near := get_close_matches(name, _all_names(), n=3):
        return (
            f'is in no registry; did you mean {" or ".join(map(repr, near))}?'
        )
    return (
        'is in no registry, and a name with dots is never imported: name the '
        'module that registers the class in custom_imports'
    )


def _named_classes(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Dotted key and value of all that names a class."""
    if isinstance(node, Mapping):
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    else:
        return
    for key, value in items:
        below = f'{path}.{key}' if path else str(key)
        if key in TYPE_KEYS and not below.endswith('.clip_grad.type'):
            yield below, value
        yield from _named_classes(value, below)
