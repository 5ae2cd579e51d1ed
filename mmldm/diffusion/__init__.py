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
    'ClassifierFreeGuidance',
    'CosineSchedule',
    'DDIM',
    'DPMSolverPP2M',
    'DiffusionScheduler',
    'DiscreteSchedule',
    'EDMPrediction',
    'EpsilonPrediction',
    'FlowPrediction',
    'GivenBetas',
    'GradientGuidance',
    'Heun',
    'HuberLoss',
    'L1Loss',
    'L2Loss',
    'LeadingGrid',
    'LinearBetas',
    'LinspaceGrid',
    'LogSNRGrid',
    'LogitNormalTimesteps',
    'LossWeighting',
    'MinSNRWeighting',
    'NoGuidance',
    'NoiseLevel',
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
    'TrailingGrid',
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
