"""Solvers: from noise to a clean latent along a time grid."""

from .adams_bashforth import IPNDM, PLMS
from .ancestral import DDIM, DDPM, EulerAncestral
from .dpm_solver import DPMSolverPP, DPMSolverSinglestep, UniPC
from .karras import Euler, Heun
from .solver import Denoise, MultistepSolver, Solver

__all__ = [
    'DDIM',
    'DDPM',
    'DPMSolverPP',
    'DPMSolverSinglestep',
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
