"""Modules of the user, which a config names."""

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings


def import_custom(cfg: Config) -> None:
    """Import what the user registers; Config does so for files only.

    Raises:
        ValueError: If there is no such module.
    """
    if cfg.get('custom_imports'):
        try:
            import_modules_from_strings(**cfg['custom_imports'])
        except ImportError as error:
            raise ValueError(describe(error)) from error


def describe(error: ImportError) -> str:
    """What could not be imported, and what to do, in one line.

    Args:
        error: As mmengine raises it, which lists all of ``sys.path``.
    """
    first: BaseException = error
    while cause := first.__cause__ or first.__context__:
        first = cause
    told = f'custom_imports: {first}'
    if isinstance(first, ModuleNotFoundError):
        told += ': export PYTHONPATH=FOLDER, the folder that has this module'
    return told
