"""Guidance: from conditional predictions to the estimate for a solver."""

from .base import ChainGuidance, Guidance, NoGuidance, Predict
from .classifier_free import AutoGuidance, ClassifierFreeGuidance, SlotGuidance
from .gradient import GradientGuidance, classifier_log_prob, image_log_prob

__all__ = [
    'AutoGuidance',
    'ChainGuidance',
    'ClassifierFreeGuidance',
    'GradientGuidance',
    'Guidance',
    'NoGuidance',
    'Predict',
    'SlotGuidance',
    'classifier_log_prob',
    'image_log_prob',
]
