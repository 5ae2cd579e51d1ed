"""Count page faults of a large tensor after larger ones were freed.

    python tools/benchmarks/page_faults.py
    python tools/benchmarks/page_faults.py --megabytes 256

The Runner makes the C library keep the memory of freed tensors
(mmldm/utils/memory.py). Each row is measured in its own process.
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
        help='size of the tensor, a quarter of the freed memory (default: 64)',
    )
    args = parser.parse_args()
    check_count('--megabytes', args.megabytes)
    return args


def page_faults(freed: str, megabytes: int) -> int:
    """Page faults of a process that keeps freed memory ('kept') or not."""
    done = subprocess.run(
        [sys.executable, '-c', PROBE, freed, str(megabytes)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def main() -> None:
    """Measure and print the results."""
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
