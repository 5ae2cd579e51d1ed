"""The diffusion process: weight-free, importable without ``models``."""

from .compvis_grid import CompVisGrid
from .diffusers_grid import DiffusersGrid
from .diffusers_sigmas import DiffusersSigmas
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
from .learned_variance import LearnedVariance
from .loss_functions import HuberLoss, L1Loss, L2Loss
from .loss_weightings import (
    LossWeighting,
    MinSNRWeighting,
    P2Weighting,
    UniformWeighting,
    VariationalWeighting,
)
from .noise_grids import (
    BetaGrid,
    EqualErrorGrid,
    KarrasGrid,
    LogSNRGrid,
    NoiseGrid,
)
from .noise_schedules import (
    CosineSchedule,
    CustomBetas,
    DiscreteSchedule,
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
from .sampling import Sampling
from .solvers import (
    DDIM,
    DDPM,
    IPNDM,
    PLMS,
    DPMSolverPP,
    DPMSolverSinglestep,
    Euler,
    EulerAncestral,
    Heun,
    MultistepSolver,
    Solver,
    UniPC,
)
from .time_grids import (
    CustomTimes,
    LeadingGrid,
    LinspaceGrid,
    TimeGrid,
    TrailingGrid,
)
from .timestep_samplers import (
    LogitNormalTimesteps,
    NormalTimesteps,
    TimestepSampler,
    UniformTimesteps,
)
from .windows import Windows

__all__ = [
    'Windows',
    'AutoGuidance',
    'BetaGrid',
    'ClassifierFreeGuidance',
    'CompVisGrid',
    'CosineSchedule',
    'DDIM',
    'DDPM',
    'DPMSolverPP',
    'DPMSolverSinglestep',
    'DiffusersGrid',
    'DiffusersSigmas',
    'DiffusionScheduler',
    'DiscreteSchedule',
    'EDMPrediction',
    'EpsilonPrediction',
    'EqualErrorGrid',
    'Euler',
    'EulerAncestral',
    'FlowPrediction',
    'CustomBetas',
    'CustomTimes',
    'GradientGuidance',
    'Heun',
    'HuberLoss',
    'IPNDM',
    'KarrasGrid',
    'L1Loss',
    'L2Loss',
    'LeadingGrid',
    'LearnedVariance',
    'LinearBetas',
    'LinspaceGrid',
    'LogSNRGrid',
    'LogitNormalTimesteps',
    'LossWeighting',
    'MinSNRWeighting',
    'MultistepSolver',
    'NoGuidance',
    'NoiseGrid',
    'NoiseLevel',
    'NoiseSchedule',
    'NormalTimesteps',
    'P2Weighting',
    'PLMS',
    'Prediction',
    'RectifiedFlow',
    'SamplePrediction',
    'Sampling',
    'ScaledLinearBetas',
    'SlotGuidance',
    'Solver',
    'SqrtBetas',
    'TimeGrid',
    'TimestepSampler',
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
