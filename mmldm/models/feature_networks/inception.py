"""The Inception network that defines FID."""

import io
from pathlib import Path

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import read_checkpoint
from mmldm.utils.weight_files import file_hash, verify_name, weight_cache

from .base import Extracted, FeatureNetwork

# File name in torch's cache, as in torch-fidelity and torchmetrics;
# pytorch-fid calls the same file pt_inception-...
CACHED = '*inception-2015-12-05-6726825d.pth'
FEATURES, LOGITS = '2048', 'logits_unbiased'


@MODELS.register_module()
class InceptionFeatures(FeatureNetwork):
    """Inception-v3 as in torch-fidelity, D = 2048: the network of FID.

    Heusel et al. 2017 (arXiv:1706.08500) and Salimans et al. 2016
    (arXiv:1606.03498). The weights are the original ones, converted from
    TensorFlow, and images are resized as in the original. The weights are not
    downloaded.

    Args:
        weights: Path of the file with the weights; None looks in torch's
            cache, ``torch.hub.get_dir()/checkpoints``.

    Raises:
        FileNotFoundError: If the file does not exist; the message has the
            address of a download.
        ValueError: If the file holds other weights, or its SHA-256 is not
            the one in its name.
    """

    name = 'inception'
    files = ('weights',)
    num_classes = 1008
    num_features = int(FEATURES)
    resize = "bilinear, TensorFlow 1's"

    def __init__(self, weights: str | Path | None = None) -> None:
        path = cached_weights() if weights is None else Path(weights)
        if path is None:
            raise FileNotFoundError(
                f'InceptionFeatures needs {weight_cache() / CACHED}: '
                f'download {weights_url()} to there, or set weights to its '
                "path; features=dict(type='EfficientNetLiteFeatures') works "
                'without'
            )
        super().__init__(299, file_hash(path) if path.is_file() else '')
        self.network = _network(path)
        self.requires_grad_(False).eval()

    def extract(self, images: Tensor) -> Extracted:
        """See :class:`FeatureNetwork`."""
        features, logits = self.network(images)
        return Extracted(features, logits)


def weights_url() -> str:
    """The address from which torch-fidelity downloads the weights."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    return URL_INCEPTION_V3


def cached_weights() -> Path | None:
    """The file with the weights in torch's cache; None if it is missing."""
    return min(weight_cache().glob(CACHED), default=None)


def _network(path: Path) -> nn.Module:
    """The network that computes features and logits of uint8 images.

    Raises:
        FileNotFoundError, ValueError: See :class:`InceptionFeatures`.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import (
        FeatureExtractorInceptionV3,
    )

    weights = read_checkpoint(path)
    verify_name(
        path, 'InceptionFeatures.weights', f'download {weights_url()} again'
    )
    # The library would execute a file's content: it gets the read weights.
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    buffer.seek(0)
    try:
        return FeatureExtractorInceptionV3(
            'inception-v3-compat', [FEATURES, LOGITS], buffer
        )
    except RuntimeError as error:
        raise ValueError(
            f'InceptionFeatures.weights={str(path)!r} does not hold the '
            "weights of torch-fidelity's Inception: give the file "
            f'{weights_url()}'
        ) from error
