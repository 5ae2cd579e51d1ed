"""Resuming a training from a checkpoint."""

from .schedules import scheduler_states
from .training import architecture_differences, resume_training

__all__ = [
    'architecture_differences',
    'resume_training',
    'scheduler_states',
]
