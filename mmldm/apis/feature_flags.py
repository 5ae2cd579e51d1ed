"""Flags of command-line tools that choose a feature network."""

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


FLAGS = {
    '--features': dict(
        choices=NETWORKS,
        help='feature network (default: InceptionFeatures if its weights are '
        'in the cache, else EfficientNetLiteFeatures)',
    ),
    '--side': dict(
        type=int,
        help='height and width to which EfficientNetLiteFeatures or '
        "DINOv2Features resizes images, pixels (default: the network's)",
    ),
    '--device': dict(help='default: cuda if there is one'),
}


def network_config(
    features: str | None, side: int | None
) -> dict[str, Any] | None:
    """The config of a feature network; None for the default one.

    Args:
        features: Value of ``--features``.
        side: Value of ``--side``.

    Raises:
        ValueError: If --side is given without --features, or with a network
            of one side.
    """
    if features is None and side is not None:
        raise ValueError('--side needs --features: give both')
    if features is None:
        return None
    if features in FIXED and side is not None:
        raise ValueError(
            f'--side {side} is not available for {features}, '
            f'which sees {FIXED[features]}: omit it'
        )
    sides = {} if side is None else dict(side=side)
    return dict(type=features, **sides)
