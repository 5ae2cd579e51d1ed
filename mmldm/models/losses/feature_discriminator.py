"""A discriminator that sees images through a pretrained network."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils import check_positive
from mmldm.utils.typing import ConfigType


@MODELS.register_module()
class FeatureDiscriminator(nn.Module):
    """Judges the features of a frozen network; Sauer et al. 2021.

    Each stage of the network has a small head, a discriminator of its own
    ("Projected GANs converge faster", arXiv:2111.01007). The network already
    knows textures and edges, so that the heads learn in hundreds of
    iterations what :class:`PatchDiscriminator` learns in tens of thousands.
    As in the paper, a random projection that is never trained mixes the
    channels of each stage (section 3.2), which keeps a head from looking at
    a few features only. There is no mixing across stages.

    The frozen network is in no checkpoint; the projections and heads are.

    Args:
        network: Config of a ``StageNetwork``.
        channels: Channels of each projection, and of each head.
    """

    def __init__(self, network: ConfigType, channels: int = 64) -> None:
        super().__init__()
        check_positive('discriminator.channels', channels)
        self.network = MODELS.build(network)
        # The last stage's features need two positions or more.
        self.min_size = 2 * self.network.min_size
        widths = self.network.widths
        self.projections = nn.ModuleList(
            _projection(width, channels) for width in widths
        )
        self.heads = nn.ModuleList(_head(channels) for _ in widths)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, stages, h, w) of images (B, 3, H, W), high for real ones.

        Logits of later stages are enlarged to the size of the first stage's,
        so that all stages have the same weight.

        Raises:
            ValueError: If the images are too small.
        """
        if min(x.shape[2:]) < self.min_size:
            raise ValueError(
                f'the discriminator gets images of {tuple(x.shape[2:])} '
                f'pixels, but needs {self.min_size}: use larger images, or '
                'leave out the last of discriminator.network.stages'
            )
        parts = zip(self.network(x), self.projections, self.heads, strict=True)
        return _as_channels([head(mix(stage)) for stage, mix, head in parts])


def _projection(width: int, channels: int) -> nn.Conv2d:
    """Random mixing of channels that is never trained."""
    layer = nn.Conv2d(width, channels, 1, bias=False)
    nn.init.kaiming_normal_(layer.weight)
    return layer.requires_grad_(False)


def _head(channels: int) -> nn.Sequential:
    """A discriminator of patches of 3 x 3 positions of a stage."""
    layers = [
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(channels, 1, 1),
    ]
    return nn.Sequential(*layers)


def _as_channels(logits: Sequence[Tensor]) -> Tensor:
    """Maps (B, 1, h, w) of several sizes as channels of the first's size."""
    size = logits[0].shape[2:]
    return torch.cat([F.interpolate(part, size) for part in logits], dim=1)
