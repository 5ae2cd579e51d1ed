"""Print parameters, operations and memory of a config's model.

    python tools/analysis_tools/get_flops.py CONFIG
    python tools/analysis_tools/get_flops.py CONFIG --shape 512 768 \\
        --batch-size 8
    python tools/analysis_tools/get_flops.py CONFIG --processes 8

Neither weights nor memory are needed: only the shapes of tensors are computed.
A multiplication and an addition count as two operations; papers often state
half of that as 'FLOPs'. The memory is that of the tensors beside the weights,
in float32. With --processes, what each process of a training holds besides
is shown: everything, or parts with model_wrapper_cfg.type=ShardedModel.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mmldm.apis import config_parser, load_config, run_tool
from mmldm.utils import check_count

if TYPE_CHECKING:
    from mmldm.apis.measured_costs import Cost
    from mmldm.apis.training_memory import Share


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = config_parser(__doc__)
    parser.add_argument(
        '--shape',
        type=int,
        nargs='+',
        metavar=('HEIGHT', 'WIDTH'),
        help='side, or height and width of the images, pixels (default: '
        'those of the training, or 256)',
    )
    parser.add_argument(
        '--batch-size', type=int, default=1, help='images (default: 1)'
    )
    parser.add_argument(
        '--tokens',
        type=int,
        help='tokens of the condition (default: the most of the model)',
    )
    parser.add_argument(
        '--processes',
        type=int,
        metavar='N',
        help='also show the weights, gradients and averages that each of N '
        'processes holds in training',
    )
    return parser.parse_args()


def report(costs: list[Cost]) -> str:
    """A table of the costs."""
    head = ('', 'parameters', 'operations', 'memory')
    units = ((1e6, 'M'), (1e9, 'G'), (2**20, 'MB'))
    lines = [f'{head[0]:24}' + ''.join(f'{name:>14}' for name in head[1:])]
    for cost in costs:
        numbers = (cost.parameters, cost.operations, cost.memory)
        cells = (
            '' if number is None else f'{number / unit:,.1f} {name}'
            for number, (unit, name) in zip(numbers, units, strict=True)
        )
        lines.append(f'{cost.name:24}' + ''.join(f'{c:>14}' for c in cells))
    return '\n'.join(lines)


def shares_report(shares: list[Share], processes: int) -> str:
    """A table of what each process holds."""
    total = (sum(s.whole for s in shares), sum(s.sharded for s in shares))
    rows = [(s.name, s.whole, s.sharded) for s in shares]
    lines = [
        f'{f"each of {processes} processes":24}{"whole":>14}{"parts":>14}'
    ]
    for name, *numbers in [*rows, ('together', *total)]:
        cells = (f'{number / 2**30:,.2f} GB' for number in numbers)
        lines.append(f'{name:24}' + ''.join(f'{c:>14}' for c in cells))
    return '\n'.join(lines)


def main() -> None:
    """Compute and print the costs."""
    args = parse_args()
    check_count('--batch-size', args.batch_size)
    if args.processes is not None:
        check_count('--processes', args.processes)
    if args.tokens is not None:
        check_count('--tokens', args.tokens)
    if args.shape is not None and len(args.shape) > 2:
        raise ValueError('--shape takes a side, or height and width')
    cfg = load_config(args)
    from mmldm.apis.model_costs import model_costs
    from mmldm.utils.image_size import height_and_width

    model = cfg.model.to_dict()
    trained = cfg.get('train_dataloader', {}).get('dataset', {}).get('size')
    size = args.shape or model.get('image_size') or trained or 256
    size = height_and_width(size[0] if args.shape and len(size) < 2 else size)
    costs = model_costs(model, size, args.batch_size, args.tokens)
    print(f'{args.batch_size} x 3 x {size[0]} x {size[1]}')
    print(report(costs))
    if args.processes is not None:
        from mmldm.apis.training_memory import training_memory

        shares = training_memory(model, args.processes)
        print(f'\n{shares_report(shares, args.processes)}')


if __name__ == '__main__':
    run_tool(main)
