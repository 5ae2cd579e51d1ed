"""Refuses to build an incomplete package; pyproject.toml says the rest."""

from pathlib import Path

from setuptools import setup

PACKAGE = Path(__file__).resolve().parent / 'mmldm'

missing = [
    name
    for name in ('configs', 'demo', 'tools', 'model-index.yml')
    if not (PACKAGE / '.mim' / name).exists()
]
if missing:
    raise SystemExit(
        f'mmldm/.mim lacks {", ".join(missing)}, without which the package '
        'has no configs and tools. They are symbolic links of the repository: '
        'check out mmldm/.mim again on a file system that has such links'
    )
setup()
