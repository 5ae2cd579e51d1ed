"""Classes by their names, in the scope whose registries build them."""

import contextlib
import warnings
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import mmengine.registry
from mmengine.registry import Registry

from mmldm import registry as registries
from mmldm.utils.checks import suggest

OWN = 'mmldm'


class Scope:
    """The registries that a ``type`` without a scope is looked up in.

    Args:
        name: ``default_scope`` of a config, mmldm's or that of a project
            with registries of its own.

    Raises:
        ValueError: If no registry has such a scope.
    """

    def __init__(self, name: Any = OWN) -> None:
        roots = [
            node
            for node in vars(mmengine.registry).values()
            if isinstance(node, Registry)
        ]
        self.name = name
        self.registries = [*_own(name), *_children(roots, name), *roots]
        if not isinstance(name, str) or len(self.registries) == len(roots):
            scopes = {OWN, 'mmagic', 'mmengine'}
            raise ValueError(
                f'default_scope={name!r} is not known: no registry has this '
                f'scope{suggest(str(name), scopes)}; a project of your own '
                f'has its registries in {name}.registry'
            )

    def find(self, name: str) -> Any:
        """What is registered under a name; None if nothing is."""
        for registry in self.registries:
            # A lookup may import a package that is not there in full; its
            # builder will say so.
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter('ignore')
                if (found := registry.get(name)) is not None:
                    return found
        return None

    def unknown(self, path: str, name: str) -> ValueError:
        """The error of a type that no registry has."""
        names = {
            known for node in self.registries for known in node.module_dict
        }
        near = get_close_matches(name, names, n=3)
        other = self.name != OWN and Scope().find(name) is not None
        if other:
            hint = f"write type='{OWN}.{name}', or default_scope='{OWN}'"
        elif near:
            hint = f'did you mean {" or ".join(map(repr, near))}?'
        else:
            hint = 'is the module that registers it in custom_imports?'
        return ValueError(
            f'{path}.type={name!r} is in no registry of scope '
            f'{self.name!r}; {hint}'
        )


def _own(name: Any) -> list[Registry]:
    """Our registries, of which a look-up goes on to mmagic and mmengine."""
    return [
        node
        for node in vars(registries).values()
        if isinstance(node, Registry) and name == OWN
    ]


def _children(roots: list[Registry], name: Any) -> list[Registry]:
    """The registries of a scope; importing its package makes them."""
    if not isinstance(name, str) or name == OWN:
        return []
    with contextlib.suppress(Exception):
        import_module(f'{name}.registry')
    found = [root._search_child(name) for root in roots]
    return [node for node in found if node is not None]
