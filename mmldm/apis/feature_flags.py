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
        '--device', default=None, help='default: cuda if there is one'
    )


def network_config(args: argparse.Namespace) -> dict[str, Any] | None:
    """The config of the feature network that the flags choose; None if none.

    Raises:
        ValueError: If --side is given without --features, or with a network
            of one side.
    """
    if args.features is None and args.side is not None:
        raise ValueError('--side needs --features: give both')
    if args.features is None:
        return None
    if args.features in FIXED and args.side is not None:
        raise ValueError(
            f'--side {args.side} is not available for {args.features}, '
            f'which sees {FIXED[args.features]}: omit it'
        )
    side = {} if args.side is None else dict(side=args.side)
    return dict(type=args.features, **side)
