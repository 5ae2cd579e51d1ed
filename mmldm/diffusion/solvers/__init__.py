"""Solvers: from noise to a clean latent along a time grid."""

from .adams_bashforth import IPNDM, PLMS
from .churn import Euler, Heun
from .ddim import DDIM, DDPM, EulerAncestral
from .exponential import DPMSolverPP, UniPC
from .solver import Denoise, MultistepSolver, Solver

__all__ = [
    'DDIM',
    'DDPM',
    'DPMSolverPP',
    'Denoise',
    'Euler',
    'EulerAncestral',
    'Heun',
    'IPNDM',
    'MultistepSolver',
    'PLMS',
    'Solver',
    'UniPC',
]
