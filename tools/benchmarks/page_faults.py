"""Page faults of a large tensor where larger ones were freed before.

    python tools/benchmarks/page_faults.py
    python tools/benchmarks/page_faults.py --megabytes 256

The Runner has the C library keep what tensors leave
(mmldm/utils/memory.py). Each row is a process of its own.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from datetime import date
from importlib.metadata import version

from mmldm.apis import run_tool
from mmldm.utils import check_count

PROBE = """
import resource, sys, torch
from mmldm.utils.memory import keep_freed_memory
if sys.argv[1] == 'kept':
    assert keep_freed_memory()
number = int(sys.argv[2]) * 2**18
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(4 * number)
before = faults()
torch.ones(number)
print(faults() - before)
"""


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--megabytes',
        type=int,
        default=64,
        help='size of the tensor, of a quarter of what was freed '
        '(default: 64)',
    )
    args = parser.parse_args()
    check_count('--megabytes', args.megabytes)
    return args


def page_faults(freed: str, megabytes: int) -> int:
    """Of a process that keeps what is freed (``'kept'``) or does not."""
    done = subprocess.run(
        [sys.executable, '-c', PROBE, freed, str(megabytes)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def main() -> None:
    """Measure and print."""
    args = parse_args()
    print(
        f'{platform.platform()}, torch {version("torch")}, {date.today()}; '
        f'a tensor of {args.megabytes} MB'
    )
    print('| freed memory is | page faults |\n|---|---|')
    for freed in ('given back', 'kept'):
        print(f'| {freed} | {page_faults(freed, args.megabytes)} |')


if __name__ == '__main__':
    run_tool(main)
