"""Compare images with real ones: FID, KID, Inception Score and others.

    python tools/judge.py IMAGES REFERENCE
    python tools/judge.py samples/images data/val --metrics fd kid

IMAGES is a folder, searched recursively, or an .npz file in OpenAI's format.
REFERENCE is another one, or a file of tools/prepare_reference_stats.py. The
network is Inception, whose Frechet distance (fd) is the FID, if
torch-fidelity's weights are in torch's cache; otherwise it is the
EfficientNet-Lite0 that is installed with mmldm. Numbers of different networks
cannot be compared. Images of any size are resized for the network. The values
are printed and, with --out, written together with their protocol.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mmldm.apis import run_tool
from mmldm.apis.cli import add_flags
from mmldm.apis.cli.feature_flags import FLAGS, network_config
from mmldm.utils.files import check_file_to_write

METRICS = (
    *('fd', 'kid', 'is', 'precision_recall', 'density_coverage', 'cmmd'),
)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('images', help='folder or .npz file of the images')
    parser.add_argument(
        'reference',
        help='folder, .npz file or statistics (.safetensors) of real images',
    )
    parser.add_argument(
        '--metrics',
        nargs='+',
        choices=METRICS,
        default=['fd'],
        help='metrics to compute (default: fd)',
    )
    add_flags(parser, {'': FLAGS})
    parser.add_argument(
        '--out', metavar='FILE.json', help='write values and protocol here'
    )
    return parser.parse_args()


def table(result: dict[str, Any]) -> str:
    """The text with the values, their sets and the protocol."""
    sides = [
        f'{result[name]["num_images"]} {name}'
        for name in ('generated', 'reference')
    ]
    shown = {k: result['protocol'][k] for k in ('network', 'side', 'resize')}
    if result['caution']:
        shown['caution'] = result['caution']
    lines = [f'{" and ".join(sides)} images']
    lines += [
        f'{name:<40}{value:>14.6g}'
        for name, value in result['metrics'].items()
    ]
    lines += [f'{name}: {value}' for name, value in shown.items()]
    return '\n'.join(lines)


def main() -> None:
    """Compare the images and print the values."""
    args = parse_args()
    if args.out is not None:
        check_file_to_write('--out', args.out)
    config = network_config(args.features, args.side, args.pretrained)
    from mmldm.apis.judging import judge_images
    from mmldm.models.feature_networks import build_feature_network
    from mmldm.utils.devices import available_device

    network = build_feature_network(config).to(available_device(args.device))
    result = judge_images(args.images, args.reference, network, args.metrics)
    print(table(result))
    if args.out is not None:
        Path(args.out).write_text(json.dumps(result, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
