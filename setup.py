"""Packaging; imports nothing but setuptools."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """The version, read as text: importing mmldm needs torch."""
    text = (ROOT / 'mmldm' / 'version.py').read_text()
    return text.split("__version__ = '")[1].split("'")[0]


def read_requirements(name: str) -> list[str]:
    """The requirement lines of requirements/NAME.txt."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


setup(
    name='mmldm',
    version=read_version(),
    description='Latent diffusion models as an OpenMMLab-style toolbox',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmldm', 'mmldm.*']),
    python_requires='>=3.11',
    install_requires=read_requirements('runtime'),
    extras_require={
        'tests': read_requirements('tests'),
        'optional': read_requirements('optional'),
        'docs': read_requirements('docs'),
    },
)
