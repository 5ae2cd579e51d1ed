"""What lets a test register a part of its own."""

import pytest

from mmldm.registry import MODELS


@pytest.fixture
def register():
    """Registers classes only as long as the test runs."""
    names = []

    def register(*classes):
        for cls in classes:
            MODELS.register_module(module=cls)
            names.append(cls.__name__)

    yield register
    for name in names:
        del MODELS._module_dict[name]
