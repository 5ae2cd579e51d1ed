"""Registration of all classes of mmldm."""

import time
from importlib import import_module

from mmengine.registry import DefaultScope

from mmldm import registry

SCOPE = 'mmldm'


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import everything that registers a class.

    mmengine's hub calls this function, by its name and place, before it builds
    a model. Otherwise mmldm does not need this call: a registry imports its
    classes at the first look-up.

    Args:
        init_default_scope: Look up names without a scope in mmldm from now
            on.
    """
    for package in sorted(registry.PACKAGES):
        import_module(package)
    current = DefaultScope.get_current_instance()
    if init_default_scope and (current is None or current.scope_name != SCOPE):
        # A new name, because only the newest instance counts.
        DefaultScope.get_instance(
            f'{SCOPE}-{time.time_ns()}', scope_name=SCOPE
        )
