"""Flags of command-line tools that choose a feature network."""

from __future__ import annotations

import argparse
from typing import Any

# Listed here, so that --help does not import torch.
NETWORKS = (
    'InceptionFeatures',
    'EfficientNetLiteFeatures',
    'DINOv2Features',
    'CLIPFeatures',
)
# Networks that transformers loads.
FROM_FOLDERS = ('DINOv2Features', 'CLIPFeatures')
# Networks of one side.
FIXED = {
    'InceptionFeatures': '299x299 pixels',
    'CLIPFeatures': 'the size of its training',
}


def add_network_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose the feature network."""
    parser.add_argument(
        '--features',
        choices=NETWORKS,
        help='feature network (default: InceptionFeatures if its weights are '
        'in the cache, else EfficientNetLiteFeatures)',
    )
    parser.add_argument(
        '--side',
        type=int,
        help='height and width to which EfficientNetLiteFeatures or '
        "DINOv2Features resizes images, pixels (default: the network's)",
    )
    parser.add_argument(
        '--pretrained',
        metavar='FOLDER',
        help='folder of DINOv2Features or CLIPFeatures, as transformers '
        'writes it, or its name on huggingface.co',
    )
    parser.add_argument(
        '--device', default=None, help='default: cuda if there is one'
    )


def network_config(args: argparse.Namespace) -> dict[str, Any] | None:
    """The config of the feature network that the flags choose; None if none.

    Raises:
        ValueError: If --side or --pretrained is given without --features, or
            for a network that does not have it.
    """
    given = dict(side=args.side, pretrained=args.pretrained)
    given = {name: v for name, v in given.items() if v is not None}
    if args.features is None and given:
        raise ValueError(f'--{min(given)} needs --features: give both')
    if args.features is None:
        return None
    if args.features in FIXED and args.side is not None:
        raise ValueError(
            f'--side {args.side} is not available for {args.features}, '
            f'which sees {FIXED[args.features]}: omit it'
        )
    if args.pretrained is not None and args.features not in FROM_FOLDERS:
        raise ValueError(
            f'--pretrained is for {" and ".join(FROM_FOLDERS)}, not for '
            f'{args.features}: omit it'
        )
    return dict(type=args.features, **given)
