"""Reading of tables and JSON, with the place of every error."""

import codecs
import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .report import DataReport, printable

DELIMITERS = {'.csv': ',', '.tsv': '\t'}
# First bytes of a UTF-16 text, as Windows writes them.
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Stands for NUL in a line until its row is known, as surrogates stand for
# bytes that are not UTF-8: no valid text has it.
NUL_MARK = '\udc00'

BAD_ROWS = 'rows cannot be read and are left out'


def decode(content: bytes, place: str) -> str:
    """Decode UTF-8, with or without byte order mark, or UTF-16.

    Args:
        content: Bytes of the text.
        place: File and line of the text, for errors.

    Raises:
        ValueError: If the bytes are not such a text.
    """
    encoding = 'utf-16' if content.startswith(UTF_16) else 'utf-8-sig'
    try:
        text = content.decode(encoding, 'surrogateescape')
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{place} is not a text ({error.reason}): save it as UTF-8'
        ) from error
    return checked_text(text.replace('\0', NUL_MARK), place)


def checked_text(text: str, place: str) -> str:
    """The text, if it has no NUL and no byte that is not UTF-8.

    Raises:
        ValueError: If it has; names the position.
    """
    for position, letter in enumerate(text):
        if letter == NUL_MARK:
            raise ValueError(
                f'{place} has a NUL byte: remove it, or save the text as UTF-8'
            )
        if '\udc80' <= letter <= '\udcff':
            raise ValueError(
                f'{place} is not a text in UTF-8 (byte '
                f'{ord(letter) - 0xDC00:#x} at position {position}): save it '
                'as UTF-8'
            )
    return text


def read_lines(path: Path, key: str) -> Iterator[str]:
    """Lines of a text file with their ends, for :func:`checked_text`.

    Args:
        path: The file's path.
        key: Config key that names the file, such as 'Captions.file'.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is UTF-16 and cut off.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'{printable(str(path))[-200:]} is missing: set {key}, a path '
            'below data_root'
        )
    with open(path, 'rb') as file:
        wide = file.read(2).startswith(UTF_16)
    encoding = 'utf-16' if wide else 'utf-8-sig'
    # Line ends are kept: csv handles all kinds.
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
    """('file, line 3', row) from JSON lines, CSV or TSV with a header.

    Args:
        path: See :func:`read_lines`.
        key: See :func:`read_lines`.
        report: Counts broken rows.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it has no valid row, or another suffix.
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
            f'{path} has no valid row, expected one for each image'
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
            report.defect(BAD_ROWS, f'{place} is not a JSON object: {shown}')
            continue
        yield place, row


def parse_json(text: str | bytes, place: str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: If it is not JSON, or too deep or large for Python.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f'line {error.lineno} ' if error.lineno > 1 else ''
        raise ValueError(
            f'{place} is invalid JSON ({error.msg} at {where}column '
            f'{error.colno})'
        ) from error
    except RecursionError as error:
        raise ValueError(
            f'{place} is invalid JSON: its brackets are nested too deeply'
        ) from error
    except ValueError as error:
        # Raised for numbers with thousands of digits.
        why = str(error).partition(':')[0]
        raise ValueError(f'{place} is invalid JSON: {why}') from error


def read_columns(
    path: Path,
    key: str,
    report: DataReport,
    columns: Sequence[str] = (),
    hint: str = '',
) -> Iterator[tuple[str, dict]]:
    """('file, line 3', row) from CSV or TSV with a header.

    Args:
        path: See :func:`read_lines`.
        key: See :func:`read_lines`.
        report: Counts rows without the header's number of columns.
        columns: Names of the required columns.
        hint: Remedy for a missing column, for errors.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If a column is missing or occurs twice, or the table is
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
                f'{place} has {len(row)} columns, the header {len(header)}: '
                'quote cells that hold a separator',
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
                f'{path} has the column {column!r} more than once: rename one'
            )


def read_csv(
    path: Path, key: str, report: DataReport
) -> Iterator[tuple[str, list[str]]]:
    """('file, line 3', cells) from CSV or TSV, including the header.

    Args:
        path: See :func:`read_lines`.
        key: See :func:`read_lines`.
        report: Counts rows that are not text, or too long.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the table is broken, for example by an open quote;
            the line where its row starts is named.
    """
    delimiter = DELIMITERS.get(path.suffix, ',')
    # Strict: otherwise an open quote swallows the rows after it.
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
            # If the row is a single line, the next one is valid.
            if 'limit' in str(error) and reader.line_num == lines + 1:
                report.defect(BAD_ROWS, f'{place} ({error})')
                continue
            raise ValueError(
                f'{place} is broken ({error}): close its quotes, and double '
                'the quotes within a text'
            ) from error
        if row and _is_text(row, place, report):
            yield place, row


def _is_text(row: list[str], place: str, report: DataReport) -> bool:
    """Whether all cells are text; count the row if not."""
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
        FileNotFoundError: If the file is missing.
        ValueError: If it is not valid JSON.
    """
    text = ''.join(read_lines(path, key))
    return parse_json(checked_text(text, str(path)), str(path))
