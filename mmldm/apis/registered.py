"""Classes that a config may name: those in a registry, and no others.

mmengine's ``Registry.get`` imports whatever a name with dots leads to, so
that ``type='os.system'`` is called when it is built. Here a name is looked up
in registries only, and what it does not find there is unknown.
"""

import contextlib
import importlib.util
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
    first, ``SCOPE.NAME`` in those of a scope: of mmldm, of a toolbox of
    OpenMMLab, or of a project whose registry is imported. A class that is
    registered may be named by its whole path,
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
    for registry in _registries(default_scope):
        if scope and registry.scope != scope:
            continue
        if registry.scope in (OWN, default_scope, scope):
            # A toolbox that is not installed in full fails to import.
            with contextlib.suppress(Exception):
                registry.import_from_location()
        node: Registry | None = registry
        while node is not None:  # mmengine looks into the parents, too
            if last in node.module_dict:
                return node.module_dict[last]
            node = node.parent
    return None


def _by_path(path: str) -> Any | None:
    """A registered class by module and name; nothing is imported."""
    for registry in _registries():
        for cls in registry.module_dict.values():
            module = getattr(cls, '__module__', None)
            if path == f'{module}.{getattr(cls, "__qualname__", "")}':
                return cls
    return None


def _registries(first: str = OWN) -> list[Registry]:
    """Those of a scope, ours, mmengine's, then those of all other projects."""
    named = [*vars(registries).values(), *vars(mmengine.registry).values()]
    queue = [node for node in named if isinstance(node, Registry)]
    found: dict[int, Registry] = {}
    for node in queue:  # grows while it is walked
        if node is not None and id(node) not in found:
            found[id(node)] = node
            queue += [node.parent, *node.children.values()]
    return sorted(found.values(), key=lambda node: node.scope != first)


def use_scope(name: Any) -> None:
    """Import the registries of a ``default_scope``, as mmengine will.

    Args:
        name: mmldm, a toolbox of OpenMMLab, or a project of the user's, with
            its registries in ``NAME.registry``.

    Raises:
        ValueError: If no registry has such a scope.
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
            f'default_scope={name!r} is the scope of no registry'
            f'{cause}{suggest(str(name), known)}'
        )


def _why_incomplete(scope: str) -> str:
    """Which packages a toolbox misses, so that parts of it register nothing.

    Returns:
        Empty where all of it can be imported, or it is no toolbox.
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
    """Raise where a config names a class that is in no registry.

    Args:
        key: Dotted, of the name.
        value: What is given as the name.
        built: Whether the dict is surely built by a registry; where it is
            not, a word that could be nothing else passes.
        default_scope: Of names without a scope.

    Raises:
        ValueError: Naming the key, the value and the nearest valid names.
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
    """Whether mmengine, asked for a class of this name, would import it."""
    if not name.isidentifier():
        return True
    return importlib.util.find_spec(name) is not None


def _cause(name: str) -> str:
    """Why no class is found by this name, and what to do."""
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
