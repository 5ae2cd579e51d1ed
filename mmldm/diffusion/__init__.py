"""The diffusion process: weight-free, importable without ``models``."""

from .diffusion_scheduler import DiffusionScheduler
from .functional import NoiseLevel, add_noise
from .guidance import ClassifierFreeGuidance, NoGuidance
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
    'DDIM',
    'ClassifierFreeGuidance',
    'CosineSchedule',
    'DPMSolverPP2M',
    'DiffusionScheduler',
    'EpsilonPrediction',
    'FlowPrediction',
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
    'TrailingGrid',
    'UniformTimesteps',
    'UniformWeighting',
    'VelocityPrediction',
    'add_noise',
]
