"""An import goes to a lower floor or stays inside its own package."""

import ast
from pathlib import Path

import mmldm

FLOORS = {
    'version': 0,
    'registry': 0,
    'utils': 0,
    # What mmengine's hub calls, where it looks for it.
    'utils.registration': 8,
    'structures': 1,
    'compat': 1,
    'diffusion': 2,
    'models.layers': 3,
    'models.adapters': 4,
    'models.autoencoders': 4,
    'models.classifiers': 4,
    'models.denoisers': 4,
    'models.conditioners': 4,
    'models.feature_networks': 4,
    'models.losses': 4,
    'models.data_preprocessors': 4,
    'models.editors': 5,
    'models': 5,
    'engine': 6,
    'evaluation': 6,
    'visualization': 6,
    'datasets': 6,
    'converters': 6,
    'toy_data': 7,
    'apis': 7,
    '__main__': 8,
    '': 8,
}
KNOW_MMAGIC = ('registry', 'structures', 'compat')


def package_of(module):
    """'models.layers' for mmldm.models.layers.resnet."""
    name = module.removeprefix('mmldm').removeprefix('.')
    while name not in FLOORS:
        name = name.rpartition('.')[0]
    return name


def imports(path, source):
    """(line, module or name in a module) of every import of a file."""
    parents = [*path.parts[:-1], '']
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join(parents[: -node.level]) if node.level else ''
            start = '.'.join(filter(None, [base, node.module]))
            yield from (
                (node.lineno, f'{start}.{alias.name}') for alias in node.names
            )


def violations(path, source):
    own = package_of('.'.join(path.with_suffix('').parts))
    for line, module in imports(path, source):
        where = f'{path.name}:{line}: {own} (floor {FLOORS[own]}) imports'
        root = module.split('.')[0]
        if root == 'mmagic' and own not in KNOW_MMAGIC:
            yield f'{where} {module}, which {KNOW_MMAGIC} alone may know'
        other = package_of(module)
        inside = other == own or other.startswith(f'{own}.')
        if (
            root == 'mmldm'
            and other
            and not inside
            and (FLOORS[other] >= FLOORS[own])
        ):
            yield f'{where} {other} (floor {FLOORS[other]})'


def test_imports_go_down():
    root = Path(mmldm.__file__).parent
    found = [
        violation
        for file in sorted(root.rglob('*.py*'))
        if file.suffix in ('.py', '.pyi')
        for violation in violations(
            file.relative_to(root.parent), file.read_text()
        )
    ]
    assert not found, '\n'.join(found)


def test_the_library_knows_no_command_line():
    """Flags are in apis.cli, which apis offers by name, and tools import."""
    root = Path(mmldm.__file__).parent
    knowing = {
        str(file.relative_to(root))
        for file in root.rglob('*.py')
        for _, module in imports(
            file.relative_to(root.parent), file.read_text()
        )
        if module == 'argparse' or f'{module}.'.startswith('mmldm.apis.cli.')
    }
    assert 'apis/cli/parsers.py' in knowing
    assert all(name.startswith('apis/cli/') for name in knowing)


def test_every_package_has_a_floor():
    root = Path(mmldm.__file__).parent
    modules = {
        file.relative_to(root).with_suffix('') for file in root.rglob('*.py')
    }
    names = {'.'.join(m.parts).removesuffix('__init__') for m in modules}
    assert not [name for name in names if name and not package_of(name)]


def test_an_import_sideways_is_found():
    path = Path('mmldm/models/denoisers/unet.py')
    expected = (
        'unet.py:3: models.denoisers (floor 4) imports '
        'models.conditioners (floor 4)'
    )
    for line in (
        'from ..conditioners import Conditioner',
        'from .. import conditioners',
        'from mmldm.models import conditioners',
        'import mmldm.models.conditioners.conditioner',
    ):
        assert list(violations(path, f'\n\n{line}\n')) == [expected]


def test_an_import_from_below_and_one_of_mmagic_are_found():
    path = Path('mmldm/diffusion/predictions.py')
    up = 'def f():\n    from mmldm.models.layers import ResBlock\n'
    assert len(list(violations(path, up))) == 1
    assert len(list(violations(path, 'import mmagic.utils\n'))) == 1
    down = (
        'from mmldm.utils import SampleRandom\n'
        'from .functional import add_noise\n'
    )
    assert not list(violations(path, down))
