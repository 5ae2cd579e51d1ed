from .adversarial import (
    AdversarialLoss,
    GlobalBatchNorm2d,
    PatchDiscriminator,
)
from .equivariance import Equivariance
from .extra_loss import ExtraLoss, TrainingStep
from .log_variance import LearnedLogVariance
from .perceptual import LPIPS, LaplacianPyramidLoss

__all__ = [
    'AdversarialLoss',
    'Equivariance',
    'ExtraLoss',
    'GlobalBatchNorm2d',
    'LPIPS',
    'LaplacianPyramidLoss',
    'LearnedLogVariance',
    'PatchDiscriminator',
    'TrainingStep',
]
