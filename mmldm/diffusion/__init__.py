"""The diffusion process: weight-free, importable without ``models``."""

from .diffusion_scheduler import DiffusionScheduler
from .editing import invert, keep_known, last_levels
from .functional import NoiseLevel, add_noise
from .guidance import (
    AutoGuidance,
    ClassifierFreeGuidance,
    GradientGuidance,
    NoGuidance,
    SlotGuidance,
    classifier_log_prob,
    image_log_prob,
)
from .loss_weightings import MinSNRWeighting, UniformWeighting
from .noise_schedules import (
    CosineSchedule,
    LinearBetas,
    RectifiedFlow,
    ScaledLinearBetas,
)
from .predictions import (
    EpsilonPrediction,
    FlowPrediction,
    SamplePrediction,
    VelocityPrediction,
)
from .solvers import DDIM, DPMSolverPP2M, Heun
from .time_grids import LeadingGrid, LinspaceGrid, LogSNRGrid, TrailingGrid
from .timestep_samplers import LogitNormalTimesteps, UniformTimesteps

__all__ = [
    'AutoGuidance',
    'ClassifierFreeGuidance',
    'CosineSchedule',
    'DDIM',
    'DPMSolverPP2M',
    'DiffusionScheduler',
    'EpsilonPrediction',
    'FlowPrediction',
    'GradientGuidance',
    'Heun',
    'LeadingGrid',
    'LinearBetas',
    'LinspaceGrid',
    'LogSNRGrid',
    'LogitNormalTimesteps',
    'MinSNRWeighting',
    'NoGuidance',
    'NoiseLevel',
    'RectifiedFlow',
    'SamplePrediction',
    'ScaledLinearBetas',
    'SlotGuidance',
    'TrailingGrid',
    'UniformTimesteps',
    'UniformWeighting',
    'VelocityPrediction',
    'add_noise',
    'classifier_log_prob',
    'image_log_prob',
    'invert',
    'keep_known',
    'last_levels',
]
