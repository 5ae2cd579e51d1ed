"""Import of the user's modules that a config names."""

from traceback import extract_tb

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings


def import_custom(cfg: Config) -> None:
    """Import the modules of ``custom_imports``; Config does so for files only.

    Raises:
        ValueError: If a module is missing, or its import raises.
    """
    if cfg.get('custom_imports'):
        try:
            import_modules_from_strings(**cfg['custom_imports'])
        except (Exception, SystemExit) as error:
            raise ValueError(describe(error)) from error


def describe(error: BaseException) -> str:
    """A message that names the failed import and its remedy, in one line.

    Args:
        error: mmengine's exception; its text lists all of ``sys.path``.
    """
    first: BaseException = error
    while cause := first.__cause__ or first.__context__:
        first = cause
    if isinstance(first, ModuleNotFoundError):
        return (
            f'custom_imports: {first}: export PYTHONPATH=FOLDER, the folder '
            'that has this module'
        )
    if isinstance(first, ImportError):
        return f'custom_imports: {first}'
    place = extract_tb(first.__traceback__)[-1]
    return (
        f'custom_imports: {place.filename}, line {place.lineno}: '
        f'{type(first).__name__}: {first}'
    )
