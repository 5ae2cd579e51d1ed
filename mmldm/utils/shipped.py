"""Configs and tools that come with the package.

``mmldm/.mim`` holds them, where mmengine and MIM look for those of a package:
files in an installed package, links to the folders above in a checkout.
"""

from pathlib import Path

from .checks import suggest

FOLDER = Path(__file__).resolve().parents[1] / '.mim'
PREFIX = 'mmldm::'


def shipped_configs() -> list[str]:
    """Names of all models' configs, such as ``mmldm::ldm/NAME.py``."""
    root = FOLDER / 'configs'
    return sorted(
        f'{PREFIX}{path.relative_to(root).as_posix()}'
        for folder in root.glob('[!_]*')
        for path in folder.glob('*.py')
    )


def config_path(config: str | Path) -> Path:
    """The file of a config, which may be a name as of ``shipped_configs``.

    Raises:
        FileNotFoundError: If no config of that name is shipped; the nearest
            names are listed.
    """
    name = str(config)
    if not name.startswith(PREFIX):
        return Path(config)
    path = FOLDER / 'configs' / name.removeprefix(PREFIX)
    if not path.is_file():
        raise FileNotFoundError(
            f'config {name} is not shipped with mmldm'
            f'{suggest(name, shipped_configs())}'
        )
    return path
