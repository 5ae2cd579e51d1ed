from .adversarial import (
    AdversarialLoss,
    GlobalBatchNorm2d,
    PatchDiscriminator,
)
from .equivariance import Equivariance
from .perceptual import LPIPS, LaplacianPyramidLoss

__all__ = [
    'AdversarialLoss',
    'Equivariance',
    'GlobalBatchNorm2d',
    'LPIPS',
    'LaplacianPyramidLoss',
    'PatchDiscriminator',
]
