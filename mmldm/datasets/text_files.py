"""Tables and JSON, read with the place of every mistake."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

DELIMITERS = {'.csv': ',', '.tsv': '\t'}


def decode(content: bytes, place: str) -> str:
    """Text in UTF-8, with or without a mark of it at its start.

    Args:
        content: Bytes of the text.
        place: Where it stands, for errors.

    Raises:
        ValueError: If it is no such text.
    """
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        wrong = content[error.start]
        raise ValueError(
            f'{place} is no text in UTF-8 (byte {wrong:#x} at position '
            f'{error.start}): save it as UTF-8'
        ) from error
    if '\0' in text:
        raise ValueError(
            f'{place} has a NUL byte, so it is no text: remove it, or save '
            'it as UTF-8'
        )
    return text


def read_lines(path: Path, key: str) -> Iterator[str]:
    """Lines of a text file with their ends.

    Args:
        path: Of the file.
        key: Of the config that names it, such as 'Captions.file'.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is no text in UTF-8; it is named.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} is not there: set {key}, a path below data_root'
        )
    with open(path, 'rb') as file:
        for number, line in enumerate(file, 1):
            yield decode(line, f'{path}, line {number}')


def read_table(path: Path, key: str) -> Iterator[tuple[str, dict]]:
    """('file, line 3', row) of JSON lines, CSV or TSV with a header.

    Args:
        path: See :func:`read_lines`.
        key: See :func:`read_lines`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no rows, a row is broken, or it is of another
            kind.
    """
    if path.suffix != '.jsonl' and path.suffix not in DELIMITERS:
        raise ValueError(
            f'{path} must end in .jsonl (JSON lines), .csv or .tsv'
        )
    rows = _json_rows if path.suffix == '.jsonl' else read_columns
    empty = True
    for place, row in rows(path, key):
        empty = False
        yield place, row
    if empty:
        raise ValueError(f'{path} is empty: it must have a row for each image')


def _json_rows(path: Path, key: str) -> Iterator[tuple[str, dict]]:
    for number, line in enumerate(read_lines(path, key), 1):
        if not line.strip():
            continue
        place, shown = f'{path}, line {number}', line.strip()[:60]
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(
                f'{place} is no JSON ({error.msg} at column {error.colno}): '
                f'{shown}'
            ) from error
        if not isinstance(row, dict):
            raise ValueError(f'{place} is no JSON object: {shown}')
        yield place, row


def read_columns(
    path: Path, key: str, columns: Sequence[str] = (), hint: str = ''
) -> Iterator[tuple[str, dict]]:
    """('file, line 3', row) of CSV or TSV with a header.

    Args:
        path: See :func:`read_lines`.
        key: See :func:`read_lines`.
        columns: That there must be.
        hint: What to do where one is missing, for errors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing, a row is broken, or it has not
            the header's columns.
    """
    rows = read_csv(path, key)
    _, header = next(rows, ('', []))
    for column in columns:
        if column not in header:
            raise ValueError(f'{path} has no column {column}: {hint}')
    for place, row in rows:
        if len(row) != len(header):
            raise ValueError(
                f'{place} has not the {len(header)} columns of the header: '
                'quote what holds a separator'
            )
        yield place, dict(zip(header, row, strict=True))


def read_csv(path: Path, key: str) -> Iterator[tuple[str, list[str]]]:
    """('file, line 3', cells) of CSV or TSV, the header as well.

    Args:
        path: See :func:`read_lines`.
        key: See :func:`read_lines`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a row is broken, such as by a quote that is not
            closed; the line where it starts is named.
    """
    delimiter = DELIMITERS.get(path.suffix, ',')
    # Strict: else an open quote swallows the rows behind it.
    reader = csv.reader(
        read_lines(path, key), delimiter=delimiter, strict=True
    )
    start = 1
    try:
        for row in reader:
            if row:
                yield f'{path}, line {start}', row
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f'{path}, line {start} is broken ({error}): close its quotes, '
            'and double those within a text'
        ) from error


def read_json(path: Path, key: str) -> Any:
    """The content of a JSON file.

    Args:
        path: See :func:`read_lines`.
        key: See :func:`read_lines`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is broken.
    """
    text = ''.join(read_lines(path, key))
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f'{path} is no JSON ({error})') from error
