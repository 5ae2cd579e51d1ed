"""Curves of a training in TensorBoard, W&B, MLflow, ClearML and Aim."""

from .base import CurveBackend
from .services import (
    AimVisBackend,
    ClearMLVisBackend,
    MLflowVisBackend,
    WandbVisBackend,
)
from .tensorboard import TensorboardVisBackend

__all__ = [
    'AimVisBackend',
    'ClearMLVisBackend',
    'CurveBackend',
    'MLflowVisBackend',
    'TensorboardVisBackend',
    'WandbVisBackend',
]
