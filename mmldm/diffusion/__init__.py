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
from .solvers import (
    DDIM,
    DDPM,
    IPNDM,
    PLMS,
    DPMSolverPP,
    Euler,
    EulerAncestral,
    Heun,
    MultistepSolver,
    Solver,
    UniPC,
)
from .time_grids import (
    CompVisGrid,
    GivenTimes,
    KarrasGrid,
    LeadingGrid,
    LinspaceGrid,
    LogSNRGrid,
    TimeGrid,
    TrailingGrid,
)
from .timestep_samplers import LogitNormalTimesteps, UniformTimesteps

__all__ = [
    'ClassifierFreeGuidance',
    'CompVisGrid',
    'CosineSchedule',
    'DDIM',
    'DDPM',
    'DPMSolverPP',
    'DiffusionScheduler',
    'EpsilonPrediction',
    'Euler',
    'EulerAncestral',
    'FlowPrediction',
    'GivenTimes',
    'Heun',
    'IPNDM',
    'KarrasGrid',
    'LeadingGrid',
    'LinearBetas',
    'LinspaceGrid',
    'LogSNRGrid',
    'LogitNormalTimesteps',
    'MinSNRWeighting',
    'MultistepSolver',
    'NoGuidance',
    'NoiseLevel',
    'PLMS',
    'RectifiedFlow',
    'SamplePrediction',
    'ScaledLinearBetas',
    'Solver',
    'TimeGrid',
    'TrailingGrid',
    'UniPC',
    'UniformTimesteps',
    'UniformWeighting',
    'VelocityPrediction',
    'add_noise',
]
