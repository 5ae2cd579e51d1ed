"""Frozen networks whose features measure the quality of images."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS


class Extracted(NamedTuple):
    """Output of a network for a batch of images.

    Attributes:
        features: (B, D), float32.
        logits: Scores of the network's own classes, (B, K), float32; None
            without classes.
    """

    features: Tensor
    logits: Tensor | None


class FeatureNetwork(nn.Module):
    """Base class of frozen classifiers or encoders that measure images.

    Two distances between sets of images are only comparable if network,
    weights and preparation of images are the same. :attr:`protocol` names all
    three.

    Args:
        side: Height and width to which images are resized, pixels.
        weights_hash: First digits of the weights' SHA-256.
    """

    #: Short name of the network, a prefix of the names of its metrics.
    name: str
    #: Number of features of an image, D.
    num_features: int
    #: Number of the network's own classes; 0 for none.
    num_classes: int = 0
    #: Filter that resizes the images.
    resize: str = 'bicubic, antialiased'

    def __init__(self, side: int, weights_hash: str) -> None:
        super().__init__()
        self.side = side
        self.weights_hash = weights_hash

    @property
    def protocol(self) -> dict[str, Any]:
        """Network, weights and preparation, as plain values to compare."""
        return dict(
            network=type(self).__name__,
            weights=self.weights_hash,
            side=self.side,
            resize=self.resize,
        )

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Extracted:
        """Features of images of any size.

        Args:
            images: uint8 RGB, (B, 3, H, W).

        Raises:
            ValueError: If the images have another dtype or shape.
        """
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(
                f'{type(self).__name__} expects uint8 images (B, 3, H, W), '
                f'got {images.dtype} {tuple(images.shape)}'
            )
        extracted = self.extract(images)
        return Extracted(*(x if x is None else x.float() for x in extracted))

    def extract(self, images: Tensor) -> Extracted:
        """Features and logits of checked images; see :meth:`forward`."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> 'FeatureNetwork':
        """Stay in evaluation mode, whatever ``mode`` is."""
        return super().train(False)


def resized(images: Tensor, side: int) -> Tensor:
    """Resize to floats in [0, 255], bicubic, antialiased, (B, 3, S, S)."""
    small = nn.functional.interpolate(
        images.float(), (side, side), mode='bicubic', antialias=True
    )
    return small.clamp(0, 255)


def build_feature_network(config: dict[str, Any] | None) -> FeatureNetwork:
    """Build the network of a config, or the best available one for None.

    That is Inception if its weights are in torch's cache, and otherwise the
    EfficientNet-Lite0 that is installed with mmldm.

    Raises:
        ValueError: If the config's type is no feature network.
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
            "'DINOv2Features', 'CLIPFeatures' or a FeatureNetwork of your own"
        )
    return network
