"""All classes of mmldm, registered at once."""

import time
from importlib import import_module

from mmengine.registry import DefaultScope

from mmldm import registry

SCOPE = 'mmldm'


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import everything that registers a class.

    mmengine's hub calls this function, by this name and from this package,
    before it builds a model. Otherwise mmldm needs no such call: a registry
    imports what it lists at the first look-up.

    Args:
        init_default_scope: Whether names without a scope are looked up in
            mmldm from now on.
    """
    for package in sorted(registry.PACKAGES):
        import_module(package)
    current = DefaultScope.get_current_instance()
    if init_default_scope and (current is None or current.scope_name != SCOPE):
        # A new name: only the newest instance counts.
        DefaultScope.get_instance(
            f'{SCOPE}-{time.time_ns()}', scope_name=SCOPE
        )
