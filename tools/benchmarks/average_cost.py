"""Time the running average of weights, against the original's arithmetic.

    python tools/benchmarks/average_cost.py                     # 274 M weights
    python tools/benchmarks/average_cost.py --channels 64 --device cuda

Ours is one call for all weights. The original has one subtraction,
multiplication and addition after the other for each weight. A copy of all
weights, which reads and writes as many bytes, is the floor.
"""

import argparse

from interleaved import (
    checked,
    clock_of,
    in_turn,
    parser_of,
    ratio,
    report,
    table,
)

from mmldm.apis import run_tool


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__, repeats=11)
    parser.add_argument(
        '--channels', type=int, default=224, help='of the denoiser'
    )
    return checked(parser)


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    import torch

    from mmldm.models.denoisers import DenoisingUNet

    unet = DenoisingUNet(3, 3, channels=args.channels).to(args.device)
    raw = [w.detach() for w in unet.parameters()]
    average = [w.clone() for w in raw]

    def one_by_one() -> None:
        for mean, weight in zip(average, raw, strict=True):
            mean.sub_(1e-4 * (mean - weight))

    runs = {
        'ours': lambda: torch._foreach_lerp_(average, raw, 1e-4),
        'original': one_by_one,
        'copy': lambda: torch._foreach_copy_(average, raw),
    }
    seconds = in_turn(runs, args.repeats, clock_of(args))
    print(table(seconds, 'update'))
    report(
        args,
        original_over_ours=ratio(seconds, 'original', 'ours'),
        ours_over_copy=ratio(seconds, 'ours', 'copy'),
        seconds=seconds,
    )


if __name__ == '__main__':
    run_tool(main)
