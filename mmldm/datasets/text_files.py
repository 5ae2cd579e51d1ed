"""Tables and JSON, read with the place of every mistake."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DELIMITERS = {'.csv': ',', '.tsv': '\t'}


def read_table(path: Path) -> Iterator[tuple[str, dict]]:
    """('file, line 3', row) of JSON lines, CSV or TSV with a header.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no rows, a row is broken, or it is of another
            kind.
    """
    if path.suffix != '.jsonl' and path.suffix not in DELIMITERS:
        raise ValueError(
            f'{path} must end in .jsonl (JSON lines), .csv or .tsv'
        )
    rows = _json_rows if path.suffix == '.jsonl' else _csv_rows
    empty = True
    try:
        for number, row in rows(path):
            empty = False
            yield f'{path}, line {number}', row
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is no text in UTF-8 ({error})') from error
    if empty:
        raise ValueError(f'{path} is empty: it must have a row for each image')


def _json_rows(path: Path) -> Iterator[tuple[int, dict]]:
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(
                    f'{path}, line {number} is no JSON ({error.msg} at '
                    f'column {error.colno}): {line.strip()[:60]}'
                ) from error
            if not isinstance(row, dict):
                raise ValueError(
                    f'{path}, line {number} is no JSON object: '
                    f'{line.strip()[:60]}'
                )
            yield number, row


def _csv_rows(path: Path) -> Iterator[tuple[int, dict]]:
    with open(path, encoding='utf-8-sig', newline='') as file:
        reader = csv.DictReader(file, delimiter=DELIMITERS[path.suffix])
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise ValueError(
                        f'{path}, line {reader.line_num} has not the '
                        f'{len(reader.fieldnames)} columns of the header: '
                        'quote what holds a separator'
                    )
                yield reader.line_num, row
        except csv.Error as error:
            raise ValueError(
                f'{path}, line {reader.line_num} is broken ({error})'
            ) from error


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is broken.
    """
    try:
        with open(path, encoding='utf-8') as file:
            return json.load(file)
    except ValueError as error:
        raise ValueError(f'{path} is no JSON ({error})') from error
