"""Targets and params in configs of the original."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..key_table import Key, KeyTable
from ..kinds import DICT, WORD, either

REMEDY = 'take the yaml file that the model was trained with'
PARAMS = 'params.'
MODULES = 'ldm.modules.encoders.modules.'
CONFIG = KeyTable(
    Key('target', kind=either(WORD, None), default=None),
    Key('params', kind=either(DICT, None), default=None),
    remedy=REMEDY,
    strict=False,
)


def target_and_params(
    original: Mapping[str, Any], targets: Collection[str], what: str = ''
) -> tuple[str, dict[str, Any]]:
    """Target and ``params`` of a config.

    Args:
        original: Config with ``target`` and ``params``.
        targets: Targets that can be converted.
        what: Kind of the result, for messages.

    Raises:
        ValueError: If it has another target.
    """
    config = CONFIG.read('', original)
    if config['target'] not in targets:
        raise config.refusal(
            'target',
            f'cannot be converted{what}; these can: {", ".join(targets)}',
        )
    return config['target'], dict(config['params'] or {})


@contextmanager
def within(key: str) -> Iterator[None]:
    """Prefix the keys in errors with the key of their part."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f'{PARAMS}{key}.{error}') from error


def table(*rows: Key) -> KeyTable:
    """A table of the keys of ``params``."""
    return KeyTable(*rows, remedy=REMEDY)
