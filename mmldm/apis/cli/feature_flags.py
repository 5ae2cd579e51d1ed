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
# Networks that transformers loads.
FROM_FOLDERS = ('DINOv2Features', 'CLIPFeatures')

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
    '--pretrained': dict(
        metavar='FOLDER',
        help='folder of DINOv2Features or CLIPFeatures, as transformers '
        'writes it, or its name on huggingface.co',
    ),
    '--device': dict(help='default: cuda if there is one'),
}


def network_config(
    features: str | None, side: int | None, pretrained: str | None = None
) -> dict[str, Any] | None:
    """The config of a feature network; None for the default one.

    Args:
        features: Value of ``--features``.
        side: Value of ``--side``.
        pretrained: Value of ``--pretrained``.

    Raises:
        ValueError: If --side or --pretrained is given without --features, or
            for a network that does not have it.
    """
    given = dict(side=side, pretrained=pretrained)
    given = {name: v for name, v in given.items() if v is not None}
    if features is None and given:
        raise ValueError(f'--{min(given)} needs --features: give both')
    if features is None:
        return None
    if features in FIXED and side is not None:
        raise ValueError(
            f'--side {side} is not available for {features}, '
            f'which sees {FIXED[features]}: omit it'
        )
    if pretrained is not None and features not in FROM_FOLDERS:
        raise ValueError(
            f'--pretrained is for {" and ".join(FROM_FOLDERS)}, not for '
            f'{features}: omit it'
        )
    return dict(type=features, **given)
