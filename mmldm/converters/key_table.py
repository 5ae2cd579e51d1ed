"""What becomes of each key in a config of others: one row a key."""

from collections.abc import Mapping
from reprlib import repr as shorten
from typing import Any, NamedTuple

from .kinds import ANY, Kind

# In place of a default: a key must be there; a key that is left out stays so.
REQUIRED, UNSAID = object(), object()


class Key(NamedTuple):
    """A key of theirs.

    Attributes:
        theirs: Its name; 'PART.KEY' for one of a dict in the config.
        ours: Our argument, 'res_block.dropout' for one of a dict; '' for a
            key that is read by code, or that changes nothing.
        kind: What its value must be.
        default: What they take where it is left out; see also ``REQUIRED``
            and ``UNSAID``.
        only: The values that ours has; none for any. Where ours are others,
            theirs -> ours.
    """

    theirs: str
    ours: str = ''
    kind: Kind = ANY
    default: Any = REQUIRED
    only: tuple | Mapping = ()


def fixed(only: Mapping[str, Any]) -> list[Key]:
    """Keys of which ours has one value, or those of a tuple."""
    return [
        Key(
            key,
            default=UNSAID,
            only=values if isinstance(values, tuple) else (values,),
        )
        for key, values in only.items()
    ]


def ignored(keys: str) -> list[Key]:
    """Keys, parted by spaces, that change no network that is trained."""
    return [Key(key, default=UNSAID) for key in keys.split()]


class Given(dict):
    """All that a config of theirs says or leaves to its defaults, by key.

    Attributes:
        where: What comes before a key in messages, 'params.'.
        ours: Our arguments, of the rows that name one.
    """

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where
        self.ours: dict[str, Any] = {}

    def refusal(self, key: str, cause: str) -> ValueError:
        """The error of a value that cannot be expressed."""
        value = self.get(key)
        value = list(value) if isinstance(value, tuple) else value
        return ValueError(f'{self.where}{key}={value!r} {cause}')


class KeyTable:
    """All keys of a config of theirs, and what each is here.

    Args:
        rows: One a key.
        remedy: Where a value cannot be: what to do.
        strict: Whether other keys are refused; else they are passed over.
    """

    def __init__(self, *rows: Key, remedy: str, strict: bool = True) -> None:
        self.rows = {row.theirs: row for row in rows}
        assert len(self.rows) == len(rows), 'a key has two rows'
        self.remedy = remedy
        self.strict = strict

    def read(self, where: str, config: Mapping[str, Any]) -> Given:
        """What a config says, and our arguments.

        Args:
            where: What comes before a key in messages, 'params.'.
            config: Theirs.

        Raises:
            ValueError: If a key is missing or not known, or its value is of
                another kind than theirs takes or none that ours has.
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
        """Raise where a key that is said has no such value, or no meaning."""
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
        """The way back: their config.

        Args:
            ours: Our arguments, none left out.
            said: Keys of one value that are written as well.
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
    """Set what is called 'PART.KEY'; lists are tuples here."""
    *parts, key = path.split('.')
    for part in parts:
        config = config.setdefault(part, {})
    config[key] = tuple(value) if isinstance(value, list) else value


def _get(config: Mapping[str, Any], path: str) -> Any:
    """What is called 'PART.KEY', or None."""
    value: Any = config
    for part in path.split('.'):
        value = (value or {}).get(part)
    return value
