"""Frozen networks whose features judge images."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS


class Extracted(NamedTuple):
    """What a network says about a batch of images.

    Attributes:
        features: (B, D), float32.
        logits: Scores of the classes that the network was trained on,
            (B, K), float32; None where it has none.
    """

    features: Tensor
    logits: Tensor | None


class FeatureNetwork(nn.Module):
    """Base class: a frozen classifier or encoder that images are judged by.

    A distance between sets of images is only comparable with another one
    that has the same network, weights and preparation of images:
    :attr:`protocol` names all three.

    Args:
        side: Height and width to which images are resized, pixels.
        weights_hash: First digits of the weights' SHA-256.
    """

    #: Short name of the network, which begins the names of its metrics.
    name: str
    #: How many features an image has, D.
    num_features: int
    #: How many classes it tells apart; 0 for none.
    num_classes: int = 0
    #: Filter that resizes the images.
    resize: str = 'bicubic, antialiased'

    def __init__(self, side: int, weights_hash: str) -> None:
        super().__init__()
        self.side = side
        self.weights_hash = weights_hash

    @property
    def protocol(self) -> dict[str, Any]:
        """Network, weights and preparation: plain values to be compared."""
        return dict(
            network=type(self).__name__,
            weights=self.weights_hash,
            side=self.side,
            resize=self.resize,
        )

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Extracted:
        """Features of images, whatever their size.

        Args:
            images: uint8 RGB, (B, 3, H, W).

        Raises:
            ValueError: If they are no such images.
        """
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(
                f'{type(self).__name__} expects uint8 images (B, 3, H, W), '
                f'got {images.dtype} {tuple(images.shape)}'
            )
        extracted = self.extract(images)
        return Extracted(*(x if x is None else x.float() for x in extracted))

    def extract(self, images: Tensor) -> Extracted:
        """See :meth:`forward`; a network's own part."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> 'FeatureNetwork':
        """Stay in evaluation, whatever ``mode`` is asked for."""
        return super().train(False)


def resized(images: Tensor, side: int) -> Tensor:
    """Float images in [0, 255], bicubic with antialiasing, (B, 3, S, S)."""
    small = nn.functional.interpolate(
        images.float(), (side, side), mode='bicubic', antialias=True
    )
    return small.clamp(0, 255)


def build_feature_network(config: dict[str, Any] | None) -> FeatureNetwork:
    """The network of a config; None for the best one that is at hand.

    Without a config it is Inception, if its weights lie in torch's cache,
    and else the EfficientNet-Lite0 that installs with mmldm.

    Raises:
        ValueError: If the config is of something else.
    """
    if config is None:
        from .efficientnet_lite import EfficientNetLiteFeatures
        from .inception import InceptionFeatures, cached_weights

        path = cached_weights()
        return InceptionFeatures(path) if path else EfficientNetLiteFeatures()
    network = MODELS.build(config)
    if not isinstance(network, FeatureNetwork):
        raise ValueError(
            f'features.type={config["type"]!r} is no feature network: give '
            "'InceptionFeatures', 'EfficientNetLiteFeatures', "
            "'DINOv2Features' or a FeatureNetwork of your own"
        )
    return network
