"""Say what is in a weights file, whether it is whole, and whether it is safe.

    python tools/analysis_tools/verify_checkpoint.py FILE [FILE ...]

FILE is a checkpoint, a published file, or a work directory, for its newest
checkpoint. Nothing in a file is executed: what needs more than tensors and
plain values is refused. Where the file has a config, its networks are tried
against the weights. The status is 1 if a file has a problem.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from mmldm.apis import run_tool

if TYPE_CHECKING:
    from mmldm.apis.file_report import FileReport


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'files', nargs='+', metavar='FILE', help='what to read'
    )
    return parser.parse_args()


def text_of(report: FileReport) -> str:
    """The report as lines."""
    lines = [
        f'{report.path}: {report.kind}',
        f'  {"size":18}{report.size / 2**20:,.2f} MB',
        f'  {"SHA-256":18}{report.sha256}',
        f'  {"of the weights":18}{report.content}',
    ]
    lines += [f'  {key:18}{value}' for key, value in report.facts.items()]
    lines += [
        f'  {part.name:18}{part.tensors:>6} tensors '
        f'{part.values / 1e6:>10,.3f} M values  {", ".join(part.dtypes)}'
        for part in report.parts
    ]
    lines += [f'  problem: {line}' for line in report.problems]
    if not report.problems:
        lines.append('  The file is whole, and nothing in it is executed.')
    return '\n'.join(lines)


def main() -> None:
    """Report on every file; a bad one does not end the others."""
    args = parse_args()
    from mmldm.apis.file_report import report_file

    sound = True
    for file in args.files:
        try:
            report = report_file(file)
        except (ValueError, OSError) as error:
            print(f'{file}: problem: {error}')
            sound = False
            continue
        print(text_of(report))
        sound = sound and not report.problems
    if not sound:
        sys.exit(1)


if __name__ == '__main__':
    run_tool(main)
