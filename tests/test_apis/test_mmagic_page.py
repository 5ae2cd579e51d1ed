"""docs/en/mmagic.md says which parts of mmagic a config may name."""

import importlib.util
import re
from pathlib import Path

import pytest

from mmldm.apis.registered import check_type_name

PAGE = Path(__file__).parents[2] / 'docs/en/mmagic.md'
_, WORKING, MISSING, _ = re.split('^## .*$', PAGE.read_text(), flags=re.M)


def rows(text):
    """The cells of a table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith('|')]
    return [line.strip('|').split('|') for line in lines[2:]]


def names(cell):
    return re.findall('`([^`]+)`', cell)


@pytest.mark.parametrize(
    'name', [name for _, parts in rows(WORKING) for name in names(parts)]
)
def test_a_part_that_works_is_found(name):
    check_type_name('type', f'mmagic.{name}', built=True)


@pytest.mark.parametrize(
    'name, packages',
    [
        (name, names(missing))
        for _, parts, missing in rows(MISSING)
        for name in names(parts)
    ],
)
def test_a_part_that_needs_packages_names_them(name, packages):
    if all(map(importlib.util.find_spec, packages)):
        check_type_name('type', f'mmagic.{name}', built=True)
        return
    with pytest.raises(ValueError, match='pip install') as error:
        check_type_name('type', f'mmagic.{name}', built=True)
    assert all(package in str(error.value) for package in packages)
