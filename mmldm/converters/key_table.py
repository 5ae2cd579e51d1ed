"""Tables of the keys in configs of other systems: one row per key."""

from collections.abc import Mapping
from reprlib import repr as shorten
from typing import Any, NamedTuple

from .kinds import ANY, Kind

# Instead of a default: a key is required, or stays missing.
REQUIRED, UNSAID = object(), object()


class Key(NamedTuple):
    """A key in the config of another system.

    Attributes:
        theirs: Name of the key; 'PART.KEY' for a key in an inner dict.
        ours: Our argument, 'res_block.dropout' for one in a dict; '' for a
            key that code reads, or that has no effect.
        kind: Kind of its values.
        default: Its value if it is missing; or ``REQUIRED`` or ``UNSAID``.
        only: Values with a counterpart, or a mapping of their values to
            ours; empty for all values.
    """

    theirs: str
    ours: str = ''
    kind: Kind = ANY
    default: Any = REQUIRED
    only: tuple | Mapping = ()


def fixed(only: Mapping[str, Any]) -> list[Key]:
    """Keys that have one value, or a tuple of values, with a counterpart."""
    return [
        Key(
            key,
            default=UNSAID,
            only=values if isinstance(values, tuple) else (values,),
        )
        for key, values in only.items()
    ]


def ignored(keys: str) -> list[Key]:
    """Keys, separated by spaces, that do not change a trained network."""
    return [Key(key, default=UNSAID) for key in keys.split()]


class Given(dict):
    """All keys of a config of another system, with defaults filled in.

    Attributes:
        where: Prefix of keys in messages, 'params.'.
        ours: Our arguments, from all rows with one.
    """

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where
        self.ours: dict[str, Any] = {}

    def refusal(self, key: str, cause: str) -> ValueError:
        """The error for a value that cannot be expressed."""
        value = self.get(key)
        value = list(value) if isinstance(value, tuple) else value
        return ValueError(f'{self.where}{key}={value!r} {cause}')


class KeyTable:
    """All keys of a config of another system, and their meaning.

    Args:
        rows: One row per key.
        remedy: Advice for invalid values.
        strict: Whether other keys are refused; otherwise they are ignored.
    """

    def __init__(self, *rows: Key, remedy: str, strict: bool = True) -> None:
        self.rows = {row.theirs: row for row in rows}
        assert len(self.rows) == len(rows), 'a key has two rows'
        self.remedy = remedy
        self.strict = strict

    def read(self, where: str, config: Mapping[str, Any]) -> Given:
        """The values in a config, and our arguments.

        Args:
            where: Prefix of keys in messages, 'params.'.
            config: Config of the other system.

        Raises:
            ValueError: If a key is missing or unknown, or its value is invalid
                or has no counterpart.
        """
        given = Given(where)
        for key, row in self.rows.items():
            value = config.get(key, row.default)
            if value is REQUIRED:
                raise ValueError(
                    f'{where}{key} is missing, without which there is no '
                    f'such model: {self.remedy}'
                )
            if value is not UNSAID:
                given[key] = value
        for key in config:
            self._check(given, key, config[key])
        for key, value in given.items():
            row = self.rows[key]
            if row.ours:
                translated = isinstance(row.only, Mapping)
                value = row.only[value] if translated else value
                _put(given.ours, row.ours, value)
        return given

    def _check(self, given: Given, key: str, value: Any) -> None:
        """Raise if a key is unknown or its value has no counterpart."""
        row = self.rows.get(key)
        where = f'{given.where}{key}'
        if row is None:
            if self.strict:
                raise ValueError(
                    f'{where}={value!r} is not known, and may change the '
                    'result: leave the key out if it does not'
                )
        elif not row.kind.fits(value):
            raise ValueError(
                f'{where}={shorten(value)} must be {row.kind.words}: '
                f'{self.remedy}'
            )
        elif row.only and value not in row.only:
            only = ', '.join(map(repr, row.only))
            verb = 'has' if len(row.only) == 1 else 'have'
            raise given.refusal(
                key, f'has no counterpart here: only {only} {verb}'
            )

    def write(self, ours: Mapping[str, Any], *said: str) -> dict[str, Any]:
        """The config of the other system, the inverse of :meth:`read`.

        Args:
            ours: All our arguments.
            said: Keys with only one value that are written too.
        """
        theirs = {}
        for key, row in self.rows.items():
            if row.ours:
                value = _get(ours, row.ours)
                if isinstance(row.only, Mapping):
                    value = {o: t for t, o in row.only.items()}[value]
                theirs[key] = value
        return theirs | {key: self.rows[key].only[0] for key in said}


def _put(config: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at 'PART.KEY'; lists become tuples."""
    *parts, key = path.split('.')
    for part in parts:
        config = config.setdefault(part, {})
    config[key] = tuple(value) if isinstance(value, list) else value


def _get(config: Mapping[str, Any], path: str) -> Any:
    """The value at 'PART.KEY', or None."""
    value: Any = config
    for part in path.split('.'):
        value = (value or {}).get(part)
    return value
