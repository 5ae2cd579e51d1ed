"""Time writing a checkpoint against writing the same bytes.

    python tools/benchmarks/checkpoint_cost.py                  # 274 M weights
    python tools/benchmarks/checkpoint_cost.py --channels 64    # a small model

The checkpoint has the model, its average and Adam's state, and is written as
in a training, which waits for a copy of it in memory only. The bytes of the
file are then written to another file of the same folder, and flushed to the
disk. The clock on the wall counts, and the fastest run of each, as other
programs only slow a run down.
"""

import argparse
import os
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from interleaved import in_turn, parser_of, report, table

from mmldm.apis import run_tool


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__, device=False)
    parser.add_argument(
        '--channels', type=int, default=224, help='of the denoiser'
    )
    parser.add_argument(
        '--folder', help='folder on the disk to time (default: a temporary)'
    )
    return parser.parse_args()


def content(channels: int) -> Mapping[str, Any]:
    """A checkpoint of the LDM-4 denoiser after a step."""
    import torch

    from mmldm.models.denoisers import DenoisingUNet

    raw = DenoisingUNet(3, 3, channels=channels).state_dict()
    copies = [{k: torch.rand_like(w) for k, w in raw.items()} for _ in '123']
    states = zip(copies[1].values(), copies[2].values(), strict=True)
    return dict(
        raw_state_dict=raw,
        state_dict=copies[0],
        optimizer=dict(
            state={
                i: dict(exp_avg=a, exp_avg_sq=b)
                for i, (a, b) in enumerate(states)
            }
        ),
    )


def write_bytes(path: Path, data: memoryview) -> None:
    """Write bytes to a file, and flush them to the disk."""
    with path.open('wb') as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    from mmldm.engine.checkpoint_state import plain
    from mmldm.utils.checkpoint import write_checkpoint
    from mmldm.utils.sharding import snapshot

    checkpoint = content(args.channels)
    with TemporaryDirectory(dir=args.folder) as folder:
        path = Path(folder, 'checkpoint.pth')
        write_checkpoint(plain(checkpoint), path)
        data = memoryview(path.read_bytes())
        runs = {
            'the same bytes': lambda: write_bytes(Path(folder, 'raw'), data),
            'checkpoint': lambda: write_checkpoint(plain(checkpoint), path),
            'copy in memory': lambda: snapshot(checkpoint),
        }
        seconds = in_turn(runs, args.repeats, time.perf_counter, warmups=1)
    print(table(seconds, 'write'))
    best = {name: min(own) for name, own in seconds.items()}
    report(
        args,
        megabytes=len(data) / 2**20,
        checkpoint_over_bytes=best['checkpoint'] / best['the same bytes'],
        training_waits_over_bytes=best['copy in memory']
        / best['the same bytes'],
        seconds=seconds,
    )


if __name__ == '__main__':
    run_tool(main)
