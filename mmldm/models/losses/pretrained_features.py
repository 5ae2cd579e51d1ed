"""A distance of images by the features of any pretrained network."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils.typing import ConfigType

from .laplacian_pyramid import check_same_shape


@MODELS.register_module()
class PretrainedFeatures(nn.Module):
    """Distance of a network's features, all channels of the same weight.

    This is the form of LPIPS without its learned weights, the baseline of
    Zhang et al. 2018 (arXiv:1801.03924, section 4.2). The features of both
    images, at each stage, are scaled to unit length at every position. The
    squares of their difference are summed over the channels, averaged over
    the positions and summed over the stages: twice (1 - cosine) per stage.

    The network is frozen, has no parameters and is not stored in checkpoints.
    Under autocast only the network has low precision.

    Args:
        network: Config of a ``StageNetwork``: ``EfficientNetLiteStages``,
            which needs no file, or ``ClassifierStages``.
    """

    def __init__(self, network: ConfigType) -> None:
        super().__init__()
        self.network = MODELS.build(network)
        self.min_size = self.network.min_size

    def forward(
        self, x: Tensor, reference: Tensor, places: Tensor | None = None
    ) -> Tensor:
        """The distance of every image to its reference, (B,), float32.

        Args:
            x: Images in [-1, 1], (B, 3, H, W).
            reference: Target images, of the same shape.
            places: See :func:`mean_over`.

        Raises:
            ValueError: If the shapes differ, are too small or not RGB.
        """
        check_same_shape(x, reference)
        if x.shape[1] != 3 or min(x.shape[2:]) < self.min_size:
            raise ValueError(
                f'PretrainedFeatures compares RGB images of {self.min_size} '
                'or more pixels per side, got (B, C, H, W) = '
                f'{tuple(x.shape)}: use larger images, or leave out the last '
                'of perceptual.network.stages'
            )
        pairs = zip(self.network(x), self.network(reference), strict=True)
        return sum(
            mean_over(
                (unit_length(ours) - unit_length(theirs)).square().sum(1),
                places,
            )
            for ours, theirs in pairs
        )

    def vectors(self, x: Tensor) -> Tensor:
        """Vectors (B, D), float32, with the images' distances as squared ones.

        With them, an image is compared with many others at once.

        Args:
            x: Images in [-1, 1], (B, 3, H, W), of one size.
        """
        return torch.cat(
            [
                unit_length(features).flatten(1)
                / features[0, 0].numel() ** 0.5
                for features in self.network(x)
            ],
            dim=1,
        )


def unit_length(features: Tensor) -> Tensor:
    """Features scaled to length 1 at every position, or 0; float32."""
    features = features.float()
    length = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features / (length + 1e-10)


def mean_over(values: Tensor, places: Tensor | None) -> Tensor:
    """Mean of the values of an image's positions, (B,).

    Args:
        values: (B, h, w).
        places: Which pixels count, (B, 1, H, W) in [0, 1]; a position counts
            as much as the pixels that it covers. Without any, the mean is 0.
            None counts all positions alike.
    """
    if places is None:
        return values.mean((1, 2))
    shares = F.adaptive_avg_pool2d(places.to(values), values.shape[1:])[:, 0]
    weights = shares.sum((1, 2)).clamp(min=torch.finfo(values.dtype).tiny)
    return (values * shares).sum((1, 2)) / weights
