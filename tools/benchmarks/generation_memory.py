"""Peak memory of a test of many generated images.

    python tools/benchmarks/generation_memory.py --images 50000 --size 256

The images are fake and the feature network is cheap, but has as many features
as Inception: what is measured is what a test keeps. The peak is that of the
process, without what it held before the test.
"""

import argparse

from mmldm.apis import run_tool
from mmldm.utils import check_count


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--images', type=int, default=50_000, help='number (default: 50000)'
    )
    parser.add_argument(
        '--size', type=int, default=256, help='side, pixels (default: 256)'
    )
    return parser.parse_args()


def main() -> None:
    """Measure."""
    args = parse_args()
    check_count('--images', args.images)
    check_count('--size', args.size)
    from generation_memory_run import measured

    print(measured(args.images, args.size))


if __name__ == '__main__':
    run_tool(main)
