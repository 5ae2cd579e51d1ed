"""Files that list images to generate: JSON lines, CSV or prompts."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmldm.utils import check_choice
from mmldm.utils.files import check_file

# Keys of a row that name files, relative to the folder of the list.
PICTURES = ('image', 'mask', 'low_res', 'map', 'like')
TEXTS = ('label', 'prompt', 'negative', *PICTURES[:-1])
NUMBERS = dict(seed=int, number=int, num=int, strength=float)
# Keys whose cells in a CSV file are JSON.
VALUES = ('layout', 'like', 'fields', 'size')
KEYS = (*TEXTS, *NUMBERS, *VALUES)


class Row(NamedTuple):
    """What one image, or several of one kind, should show.

    Attributes:
        arguments: Arguments of ``LatentDiffusionInferencer``.
        where: File and line, or '' for no file.
    """

    arguments: Mapping[str, Any]
    where: str = ''

    def refusal(self, error: Exception) -> Exception:
        """An error with file and line before its message."""
        missing = isinstance(error, FileNotFoundError)
        kind = FileNotFoundError if missing else ValueError
        return kind(f'{self.where}: {error}')


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a file.

    Args:
        path: ``.jsonl``, an object a line; ``.csv``, whose first row names
            the columns; or ``.txt``, a prompt a line. Empty lines and empty
            cells say nothing. Names of pictures are relative to the folder
            of the file.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file has no rows, or one is invalid; names its
            line.
    """
    path = Path(path)
    check_choice(f'{path}: extension', path.suffix, FORMATS)
    check_file('file of requests', path)
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not UTF-8 text ({error})') from error
    rows = []
    for line, row in FORMATS[path.suffix](text, path):
        where = f'{path} line {line}'
        rows.append(Row(_checked(row, where, path.parent), where))
    if not rows:
        raise ValueError(f'{path} has no rows: write one for each image')
    return rows


def _prompts(text: str, path: Path) -> Iterator[tuple[int, dict]]:
    for line, prompt in enumerate(text.splitlines(), 1):
        if prompt.strip():
            yield line, dict(prompt=prompt.strip())


def _json_lines(text: str, path: Path) -> Iterator[tuple[int, dict]]:
    for line, entry in enumerate(text.split('\n'), 1):
        if entry.strip():
            yield line, _json(entry, f'{path} line {line}')


def _csv_rows(text: str, path: Path) -> Iterator[tuple[int, dict]]:
    reader = csv.DictReader(io.StringIO(text, newline=''), strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        _refuse_twice(names, f'{path} line 1')
        for cells in reader:
            where = f'{path} line {reader.line_num}'
            if None in cells or None in cells.values():
                raise ValueError(
                    f'{where} has another number of cells than the '
                    f'{len(reader.fieldnames)} columns of the first row'
                )
            row = {
                name.strip(): _cell(name.strip(), cell, where)
                for name, cell in cells.items()
                if cell.strip()
            }
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(
            f'{path} line {reader.line_num}: {error}: quote cells with '
            'commas, and double the quotes in them'
        ) from error


FORMATS: dict[str, Callable[[str, Path], Iterator[tuple[int, dict]]]] = {
    '.jsonl': _json_lines,
    '.csv': _csv_rows,
    '.txt': _prompts,
}


def _cell(name: str, cell: str, where: str) -> Any:
    """The value of a cell in a CSV file."""
    if name in VALUES:
        return _json(cell, f'{where}: {name}')
    if name not in NUMBERS:
        return cell.strip()
    try:
        return NUMBERS[name](cell)
    except ValueError as error:
        raise ValueError(
            f'{where}: {name}={cell!r} is not a number'
        ) from error


def _refuse_twice(names: Sequence[str], where: str) -> None:
    """Raise if a name comes twice, of which one would be dropped."""
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f'{where} has {twice[0]!r} twice: leave one')


def _json(text: str, where: str) -> Any:
    def whole(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _refuse_twice([name for name, _ in pairs], 'an object')
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=whole)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{where} is not JSON ({error})') from error


def _checked(row: Any, where: str, folder: Path) -> dict[str, Any]:
    """A row with the names of its pictures completed.

    Raises:
        ValueError: If a key or the kind of a value is unknown.
    """
    if not isinstance(row, dict):
        raise ValueError(
            f'{where} must be an object, such as {{"prompt": "a cat"}}'
        )
    row = {name: value for name, value in row.items() if value is not None}
    for name in row:
        check_choice(f'{where}: key', name, KEYS)
    for name in PICTURES[:-1]:
        if name in row:
            row[name] = _beside(folder, row[name], f'{where}: {name}')
    if 'like' in row:
        named = row['like']
        listed = named if isinstance(named, list) else [named]
        row['like'] = [_beside(folder, n, f'{where}: like') for n in listed]
    if 'fields' in row:
        row['fields'] = _own_fields(row['fields'], where, folder)
    if isinstance(row.get('size'), list):
        row['size'] = tuple(row['size'])
    return row


def _own_fields(fields: Any, where: str, folder: Path) -> dict[str, str]:
    if not isinstance(fields, dict):
        raise ValueError(
            f'{where}: fields must be an object of files, such as '
            '{"sketch": "sketch.png"}'
        )
    return {
        name: _beside(folder, file, f'{where}: fields {name}')
        for name, file in fields.items()
    }


def _beside(folder: Path, name: Any, where: str) -> str:
    """The path of a file that a list names."""
    if not isinstance(name, str):
        raise ValueError(f'{where}: {name!r} must be the name of a file')
    path = str(folder / name)
    check_file(where, path)
    return path
