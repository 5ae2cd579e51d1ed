"""Classes that a config may name: only those in a registry.

mmengine's ``Registry.get`` imports any name with dots, so that building
``type='os.system'`` calls it. Here, a name is looked up in registries only,
and any other name is unknown.
"""

import contextlib
import importlib.util
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import mmengine.registry
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry

from mmldm import registry as registries
from mmldm.utils.checks import suggest

OWN = 'mmldm'


def find_class(name: str, default_scope: str = OWN) -> Any | None:
    """The class or function that is registered as ``name``.

    ``NAME`` is looked up in all registries, those of ``default_scope``
    first, and ``SCOPE.NAME`` in those of the scope: mmldm, a toolbox of
    OpenMMLab, or a project whose registry is imported. A registered class
    may also be named by its full path, ``package.module.Class``, as mmengine
    dumps it.

    Returns:
        The class or function; None if the name is not registered.
    """
    scope, _, last = name.rpartition('.')
    if '.' in scope:
        return _by_path(name)
    if scope in MODULE2PACKAGE:
        with contextlib.suppress(Exception):
            importlib.import_module(f'{scope}.registry')
    for registry in _registries(default_scope):
        if scope and registry.scope != scope:
            continue
        if registry.scope == OWN:
            registry.import_from_location()
        elif registry.scope in (default_scope, scope):
            # A toolbox fails to import if not all its packages are installed.
            with contextlib.suppress(Exception):
                registry.import_from_location()
        node: Registry | None = registry
        while node is not None:  # mmengine searches the parents, too
            if last in node.module_dict:
                return node.module_dict[last]
            node = node.parent
    return None


def _by_path(path: str) -> Any | None:
    """The registered class with this full path; nothing is imported."""
    for registry in _registries():
        for cls in registry.module_dict.values():
            module = getattr(cls, '__module__', None)
            if path == f'{module}.{getattr(cls, "__qualname__", "")}':
                return cls
    return None


def _registries(first: str = OWN) -> list[Registry]:
    """All registries, those of the scope ``first`` at the start."""
    named = [*vars(registries).values(), *vars(mmengine.registry).values()]
    queue = [node for node in named if isinstance(node, Registry)]
    found: dict[int, Registry] = {}
    for node in queue:  # grows while it is walked
        if node is not None and id(node) not in found:
            found[id(node)] = node
            queue += [node.parent, *node.children.values()]
    return sorted(found.values(), key=lambda node: node.scope != first)


def use_scope(name: Any) -> None:
    """Import the registries of a ``default_scope``, as mmengine does later.

    Args:
        name: mmldm, a toolbox of OpenMMLab, or a project of the user, with
            registries in ``NAME.registry``.

    Raises:
        ValueError: If no registry has this scope.
    """
    cause = ''
    if isinstance(name, str) and name.isidentifier():
        try:
            importlib.import_module(f'{name}.registry')
        except (Exception, SystemExit) as error:
            cause = f' ({type(error).__name__}: {error})'
    known = {node.scope for node in _registries()}
    if name not in known:
        raise ValueError(
            f'default_scope={name!r} is not the scope of a registry'
            f'{cause}{suggest(str(name), known)}'
        )


def _why_incomplete(scope: str) -> str:
    """Why a toolbox cannot be imported in full: its missing packages.

    Returns:
        Empty if all of it can be imported, or ``scope`` is not a toolbox.
    """
    missing = set()
    for registry in _registries() if scope in MODULE2PACKAGE else ():
        if registry.scope == scope:
            try:
                registry.import_from_location()
            except ModuleNotFoundError as error:
                missing.add(error.name)
            except Exception as error:
                return f'cannot be imported ({type(error).__name__}: {error})'
    if not missing:
        return ''
    names = sorted(missing)
    return (
        f'cannot be imported, as {" and ".join(names)} is not installed: '
        f'pip install {" ".join(names)}'
    )


def _all_names() -> set[str]:
    return {name for node in _registries() for name in node.module_dict}


def check_type_name(
    key: str, value: Any, built: bool, default_scope: str = OWN
) -> None:
    """Raise if a config names a class that is in no registry.

    Args:
        key: Dotted key of the name.
        value: The name.
        built: Whether a registry certainly builds the dict. If not, a plain
            word passes that is not the name of a module.
        default_scope: Scope of names without one.

    Raises:
        ValueError: Names the key, the value and similar valid names.
    """
    if callable(value):
        return
    if not isinstance(value, str):
        if built:
            raise ValueError(
                f'{key}={value!r:.80} must be the name of a registered class'
            )
        return
    if find_class(value, default_scope) is not None:
        return
    if built or _may_be_imported(value):
        raise ValueError(f'{key}={value!r:.80} {_cause(value)}')


def _may_be_imported(name: str) -> bool:
    """Whether mmengine would import a class name as a module."""
    if not name.isidentifier():
        return True
    return importlib.util.find_spec(name) is not None


def _cause(name: str) -> str:
    """Why no class with this name is found, and the remedy."""
    scope = name.partition('.')[0]
    if scope in MODULE2PACKAGE and not importlib.util.find_spec(scope):
        return (
            f'belongs to {scope}, which is not installed: pip install '
            f'{MODULE2PACKAGE[scope]}'
        )
    if reason := _why_incomplete(scope):
        return f'is in no registry of {scope}, parts of which {reason}'
    if near := get_close_matches(name, _all_names(), n=3):
        return (
            f'is in no registry; did you mean {" or ".join(map(repr, near))}?'
        )
    return (
        'is in no registry, and a name with dots is never imported: name the '
        'module that registers the class in custom_imports'
    )


def training_parts(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of an editor's arguments and modules that only training uses."""
    kind = config['type']
    cls = registries.MODELS.get(kind) if isinstance(kind, str) else kind
    return getattr(cls, 'training_parts', ())
