"""Tables and JSON, read with the place of every mistake."""

import codecs
import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .report import DataReport, printable

DELIMITERS = {'.csv': ',', '.tsv': '\t'}
# How a text of Windows in two bytes a letter begins.
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# How bytes that are no UTF-8, and NUL, are kept in a line until its row is
# known: a letter that no text has.
NUL_MARK = '\udc00'

BAD_ROWS = 'rows cannot be read and are left out'


def decode(content: bytes, place: str) -> str:
    """Text in UTF-8, with or without a mark of it at its start, or UTF-16.

    Args:
        content: Bytes of the text.
        place: Where it stands, for errors.

    Raises:
        ValueError: If it is no such text.
    """
    encoding = 'utf-16' if content.startswith(UTF_16) else 'utf-8-sig'
    try:
        text = content.decode(encoding, 'surrogateescape')
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{place} is no text ({error.reason}): save it as UTF-8'
        ) from error
    return checked_text(text.replace('\0', NUL_MARK), place)


def checked_text(text: str, place: str) -> str:
    """A text whose bytes were all letters.

    Raises:
        ValueError: If some were none, such as NUL or those of old encodings.
    """
    for position, letter in enumerate(text):
        if letter == NUL_MARK:
            raise ValueError(
                f'{place} has a NUL byte, so it is no text: remove it, or '
                'save it as UTF-8'
            )
        if '\udc80' <= letter <= '\udcff':
            raise ValueError(
                f'{place} is no text in UTF-8 (byte '
                f'{ord(letter) - 0xDC00:#x} at position {position}): save it '
                'as UTF-8'
            )
    return text


def read_lines(path: Path, key: str) -> Iterator[str]:
    """Lines of a text file with their ends; see :func:`checked_text`.

    Args:
        path: Of the file.
        key: Of the config that names it, such as 'Captions.file'.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is UTF-16 that is cut off.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'{printable(str(path))[-200:]} is not there: set {key}, a path '
            'below data_root'
        )
    with open(path, 'rb') as file:
        wide = file.read(2).startswith(UTF_16)
    encoding = 'utf-16' if wide else 'utf-8-sig'
    # Line ends as they are: csv knows them all.
    with open(
        path, encoding=encoding, errors='surrogateescape', newline=''
    ) as file:
        try:
            for line in file:
                yield line.replace('\0', NUL_MARK)
        except UnicodeDecodeError as error:
            raise ValueError(
                f'{path} is no text ({error.reason}): save it as UTF-8'
            ) from error


def read_table(
    path: Path, key: str, report: DataReport
) -> Iterator[tuple[str, dict]]:
    """('file, line 3', row) of JSON lines, CSV or TSV with a header.

    Args:
        path: See :func:`read_lines`.
        key: See :func:`read_lines`.
        report: Where broken rows are counted.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no sound rows, or it is of another kind.
    """
    if path.suffix != '.jsonl' and path.suffix not in DELIMITERS:
        raise ValueError(
            f'{path} must end in .jsonl (JSON lines), .csv or .tsv'
        )
    rows = _json_rows if path.suffix == '.jsonl' else read_columns
    empty = True
    for place, row in rows(path, key, report):
        empty = False
        yield place, row
    if empty:
        raise ValueError(
            f'{path} is empty: it must have a row for each image'
            f'{report.reasons()}'
        )


def _json_rows(
    path: Path, key: str, report: DataReport
) -> Iterator[tuple[str, dict]]:
    for number, line in enumerate(read_lines(path, key), 1):
        if not line.strip():
            continue
        place, shown = f'{path}, line {number}', line.strip()[:60]
        try:
            row = parse_json(checked_text(line, place), place)
        except ValueError as error:
            report.defect(BAD_ROWS, f'{error}: {printable(shown)}')
            continue
        if not isinstance(row, dict):
            report.defect(BAD_ROWS, f'{place} is no JSON object: {shown}')
            continue
        yield place, row


def parse_json(text: str | bytes, place: str) -> Any:
    """What JSON says.

    Raises:
        ValueError: If it is none, or too deep or large for Python.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f'line {error.lineno} ' if error.lineno > 1 else ''
        raise ValueError(
            f'{place} is no JSON ({error.msg} at {where}column {error.colno})'
        ) from error
    except RecursionError as error:
        raise ValueError(
            f'{place} is no JSON of data: its brackets are nested too deeply'
        ) from error
    except ValueError as error:
        # Numbers of thousands of digits.
        why = str(error).partition(':')[0]
        raise ValueError(f'{place} is no JSON of data: {why}') from error


def read_columns(
    path: Path,
    key: str,
    report: DataReport,
    columns: Sequence[str] = (),
    hint: str = '',
) -> Iterator[tuple[str, dict]]:
    """('file, line 3', row) of CSV or TSV with a header.

    Args:
        path: See :func:`read_lines`.
        key: See :func:`read_lines`.
        report: Where rows are counted that have not the header's columns.
        columns: That there must be.
        hint: What to do where one is missing, for errors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing or comes twice, or the table is
            broken.
    """
    rows = read_csv(path, key, report)
    _, header = next(rows, ('', []))
    _check_header(path, header, columns, hint)
    for place, row in rows:
        if len(row) == len(header):
            yield place, dict(zip(header, row, strict=True))
        else:
            report.defect(
                BAD_ROWS,
                f'{place} has not the {len(header)} columns of the header: '
                'quote what holds a separator',
            )


def _check_header(
    path: Path, header: Sequence[str], columns: Sequence[str], hint: str
) -> None:
    for column in columns:
        if column not in header:
            raise ValueError(f'{path} has no column {column}: {hint}')
    for column in header:
        if header.count(column) > 1:
            raise ValueError(
                f'{path} has the column {column!r} more than once: name one '
                'otherwise'
            )


def read_csv(
    path: Path, key: str, report: DataReport
) -> Iterator[tuple[str, list[str]]]:
    """('file, line 3', cells) of CSV or TSV, the header as well.

    Args:
        path: See :func:`read_lines`.
        key: See :func:`read_lines`.
        report: Where rows are counted that are no text, or too long.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the table is broken, such as by a quote that is not
            closed; the line where its row starts is named.
    """
    delimiter = DELIMITERS.get(path.suffix, ',')
    # Strict: else an open quote swallows the rows behind it.
    reader = csv.reader(
        read_lines(path, key), delimiter=delimiter, strict=True
    )
    while True:
        place = f'{path}, line {reader.line_num + 1}'
        lines = reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # Of a row in one line the next one is sound.
            if 'limit' in str(error) and reader.line_num == lines + 1:
                report.defect(BAD_ROWS, f'{place} ({error})')
                continue
            raise ValueError(
                f'{place} is broken ({error}): close its quotes, and double '
                'those within a text'
            ) from error
        if row and _is_text(row, place, report):
            yield place, row


def _is_text(row: list[str], place: str, report: DataReport) -> bool:
    """Whether all cells are text; else it is counted."""
    try:
        for cell in row:
            checked_text(cell, place)
    except ValueError as error:
        report.defect(BAD_ROWS, str(error))
        return False
    return True


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
    return parse_json(checked_text(text, str(path)), str(path))
