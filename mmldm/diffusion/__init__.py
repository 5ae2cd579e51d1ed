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
from .loss_functions import HuberLoss, L1Loss, L2Loss
from .loss_weightings import (
    LossWeighting,
    MinSNRWeighting,
    P2Weighting,
    UniformWeighting,
    VariationalWeighting,
)
from .noise_schedules import (
    CosineSchedule,
    DiscreteSchedule,
    GivenBetas,
    LinearBetas,
    NoiseSchedule,
    RectifiedFlow,
    ScaledLinearBetas,
    SqrtBetas,
    VarianceExploding,
    ZeroTerminalSNR,
)
from .predictions import (
    EDMPrediction,
    EpsilonPrediction,
    FlowPrediction,
    Prediction,
    SamplePrediction,
    VelocityPrediction,
)
<<<<<<< HEAD
from .solvers import DDIM, DPMSolverPP2M, Heun
from .time_grids import LeadingGrid, LinspaceGrid, LogSNRGrid, TrailingGrid
from .timestep_samplers import (
    LogitNormalTimesteps,
    NormalTimesteps,
    TimestepSampler,
    UniformTimesteps,
)

__all__ = [
    'AutoGuidance',
=======
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
>>>>>>> solvers
    'ClassifierFreeGuidance',
    'CompVisGrid',
    'CosineSchedule',
    'DDIM',
<<<<<<< HEAD
    'DPMSolverPP2M',
=======
    'DDPM',
    'DPMSolverPP',
>>>>>>> solvers
    'DiffusionScheduler',
    'DiscreteSchedule',
    'EDMPrediction',
    'EpsilonPrediction',
    'Euler',
    'EulerAncestral',
    'FlowPrediction',
<<<<<<< HEAD
    'GivenBetas',
    'GradientGuidance',
    'Heun',
    'HuberLoss',
    'L1Loss',
    'L2Loss',
=======
    'GivenTimes',
    'Heun',
    'IPNDM',
    'KarrasGrid',
>>>>>>> solvers
    'LeadingGrid',
    'LinearBetas',
    'LinspaceGrid',
    'LogSNRGrid',
    'LogitNormalTimesteps',
    'LossWeighting',
    'MinSNRWeighting',
    'MultistepSolver',
    'NoGuidance',
    'NoiseLevel',
<<<<<<< HEAD
    'NoiseSchedule',
    'NormalTimesteps',
    'P2Weighting',
    'Prediction',
    'RectifiedFlow',
    'SamplePrediction',
    'ScaledLinearBetas',
    'SlotGuidance',
    'SqrtBetas',
    'TimestepSampler',
=======
    'PLMS',
    'RectifiedFlow',
    'SamplePrediction',
    'ScaledLinearBetas',
    'Solver',
    'TimeGrid',
>>>>>>> solvers
    'TrailingGrid',
    'UniPC',
    'UniformTimesteps',
    'UniformWeighting',
    'VarianceExploding',
    'VariationalWeighting',
    'VelocityPrediction',
    'ZeroTerminalSNR',
    'add_noise',
    'classifier_log_prob',
    'image_log_prob',
    'invert',
    'keep_known',
    'last_levels',
]
