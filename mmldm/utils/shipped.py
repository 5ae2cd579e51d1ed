"""Configs and tools that come with the package.

``mmldm/.mim`` holds them, where mmengine and MIM search: files in an installed
package, links to the folders above in a checkout.
"""

from difflib import get_close_matches
from pathlib import Path

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
    """The path of a config, given by path or by name.

    Raises:
        FileNotFoundError: If no shipped config has this name; suggests
            similar names of :func:`shipped_configs`.
    """
    name = str(config)
    if not name.startswith(PREFIX):
        return Path(config)
    path = FOLDER / 'configs' / name.removeprefix(PREFIX)
    if not path.is_file():
        nearest = get_close_matches(name, shipped_configs(), cutoff=0)
        raise FileNotFoundError(
            f'config {name} does not come with mmldm; similar names are '
            f'{", ".join(nearest)}, and `mmldm configs` lists all'
        )
    return path
