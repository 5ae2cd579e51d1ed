"""The Inception network that FID is defined by."""

import io
from pathlib import Path

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import read_checkpoint
from mmldm.utils.weight_files import file_hash, verify_name, weight_cache

from .base import Extracted, FeatureNetwork

# In torch's cache, as torch-fidelity and torchmetrics name it; pytorch-fid
# has the same file as pt_inception-...
CACHED = '*inception-2015-12-05-6726825d.pth'
FEATURES, LOGITS = '2048', 'logits_unbiased'


@MODELS.register_module()
class InceptionFeatures(FeatureNetwork):
    """Inception-v3 as torch-fidelity has it, D = 2048: FID's network.

    Heusel et al. 2017 (arXiv:1706.08500) and Salimans et al. 2016
    (arXiv:1606.03498); the weights are those of the original, carried over
    from TensorFlow, and images are resized as there. They are not
    downloaded.

    Args:
        weights: Path of the file; None looks in torch's cache,
            ``torch.hub.get_dir()/checkpoints``.

    Raises:
        FileNotFoundError: If there is no such file; the message says where
            it can be had.
        ValueError: If the file holds other weights, or is not the file whose
            SHA-256 its name states.
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
    """Where torch-fidelity downloads the weights from."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    return URL_INCEPTION_V3


def cached_weights() -> Path | None:
    """The file of weights in torch's cache; None where there is none."""
    return min(weight_cache().glob(CACHED), default=None)


def _network(path: Path) -> nn.Module:
    """The network that gives features and logits of uint8 images.

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
    # It would execute what is in a file: it gets what we have read.
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
