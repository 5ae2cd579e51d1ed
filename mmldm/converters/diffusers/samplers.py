"""The schedulers of diffusers that have a counterpart in ours.

Their differences from ours are in ``differences.py``. Keys with one value in
ours are in ``Sampler.fixed``: imports note other values, exports avoid them.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from .differences import (
    AVERAGES,
    BOUNDS,
    ELSEWHERE,
    MULTISTEP_NO_NUMBER,
    NOISY,
    PURE_NOISE,
    SDE,
    SINGLE_PRECISION,
    UNIPC_NO_NUMBER,
    Difference,
)


class Sampling(NamedTuple):
    """A way of sampling, in diffusers and in mmldm.

    Attributes:
        name: Name of the scheduler in diffusers.
        keys: Keys of its config.
        solver: Config of our solver.
        time_grid: Config of our time grid.
        notes: Sentences about differences between both.
    """

    name: str
    keys: dict[str, Any]
    solver: dict[str, Any]
    time_grid: dict[str, Any]
    notes: tuple[str, ...] = ()


class Sampler(NamedTuple):
    """A scheduler of diffusers that has a counterpart in ours.

    Attributes:
        defaults: Its values for missing keys.
        rounding: Its arguments of ``DiffusersGrid``.
        fixed: Values with a counterpart, by key; others get a note.
        end: Key, and its values for a last step to the clean level and to
            the first level of the schedule; None if it is always clean.
        lacks: Keys of betas and spacing that it does not read.
        sigmas: Its rounding of the times of levels that are spaced in noise,
            by the key in ``MEASURES`` that selects these.
        differs: Cases in which it generates other samples than ours.
    """

    defaults: dict[str, Any]
    rounding: dict[str, Any]
    fixed: dict[str, tuple]
    end: tuple[str, Any, Any] | None = None
    lacks: frozenset[str] = frozenset()
    sigmas: Mapping[str, str] = {}
    differs: tuple[Difference, ...] = ()


ZERO_SNR = frozenset({'rescale_betas_zero_snr'})
EXACT = dict(
    use_karras_sigmas='exact',
    use_exponential_sigmas='exact',
    use_beta_sigmas='exact',
)
ROUNDED = dict(
    use_karras_sigmas='rounded',
    use_exponential_sigmas='floored',
    use_beta_sigmas='floored',
)
# Keys that change the network, its inputs or the range of latents: the value
# that is refused, and why.
REFUSED = {
    'thresholding': (
        True,
        'clips each image at a quantile of its own values, which is made for '
        'pixels: no solver here does: set it to False',
    ),
    'timestep_type': (
        'continuous',
        'gives the network log(sigma) / 4 instead of a time: no noise '
        "schedule with betas here does: only 'discrete' has a counterpart",
    ),
    'use_flow_sigmas': (
        True,
        'is for models of rectified flow, whose latents are not those of '
        'betas: there is no counterpart',
    ),
}
# Schedulers without betas, with a remark on their models.
WITHOUT_BETAS = {
    'EDM': (
        'the network is given log(sigma) / 4 instead of a time, and its '
        'inputs and outputs are scaled as in Karras et al. 2022'
    ),
    'FlowMatch': 'latents are those of rectified flow',
}
FINAL = ('final_sigmas_type', 'zero', 'sigma_min')
LEADING = dict(timestep_spacing='leading', steps_offset=0)
LINSPACE = dict(timestep_spacing='linspace', steps_offset=0)
CLIPPED = dict(clip_sample=True, clip_sample_range=1.0)
# Defaults of schedulers with a choice of order.
ORDERED = LINSPACE | dict(
    solver_order=2, lower_order_final=True, final_sigmas_type='zero'
)
SAMPLERS = {
    'DDIMScheduler': Sampler(
        LEADING | CLIPPED | dict(set_alpha_to_one=True),
        {},
        {},
        ('set_alpha_to_one', True, False),
        differs=(ELSEWHERE,),
    ),
    'DDPMScheduler': Sampler(
        LEADING | CLIPPED | dict(variance_type='fixed_small'),
        {},
        dict(variance_type=('fixed_small', 'fixed_small_log', 'fixed_large')),
        differs=(NOISY,),
    ),
    'PNDMScheduler': Sampler(
        LEADING | dict(set_alpha_to_one=False, skip_prk_steps=False),
        {},
        dict(skip_prk_steps=(True,)),
        ('set_alpha_to_one', True, False),
        ZERO_SNR,
        differs=(ELSEWHERE, AVERAGES),
    ),
    'EulerDiscreteScheduler': Sampler(
        LINSPACE,
        dict(rounded=False),
        dict(
            # Latents are divided by alpha, which would not be 1 otherwise.
            final_sigmas_type=('zero',),
            interpolation_type=('linear',),
        ),
        sigmas=EXACT,
        differs=(BOUNDS,),
    ),
    'EulerAncestralDiscreteScheduler': Sampler(
        LINSPACE, dict(rounded=False), {}
    ),
    'HeunDiscreteScheduler': Sampler(
        LINSPACE | dict(beta_start=0.00085, beta_end=0.012),
        dict(rounded=False),
        dict(clip_sample=(False,)),
        lacks=ZERO_SNR,
        sigmas=EXACT,
        differs=(SINGLE_PRECISION,),
    ),
    'DPMSolverMultistepScheduler': Sampler(
        ORDERED | dict(algorithm_type='dpmsolver++'),
        dict(spare_zero=True),
        dict(
            algorithm_type=('dpmsolver++', 'sde-dpmsolver++'),
            euler_at_final=(False,),
            lambda_min_clipped=(-math.inf,),
            solver_type=('midpoint',),
        ),
        FINAL,
        sigmas=ROUNDED | dict(use_lu_lambdas='rounded'),
        differs=(MULTISTEP_NO_NUMBER, PURE_NOISE, SDE),
    ),
    'DPMSolverSinglestepScheduler': Sampler(
        ORDERED | dict(lower_order_final=False),
        dict(spare_zero=True),
        dict(
            algorithm_type=('dpmsolver++',),
            lambda_min_clipped=(-math.inf,),
            solver_order=(2, 1),
            solver_type=('midpoint',),
        ),
        FINAL,
        ZERO_SNR | {'timestep_spacing', 'steps_offset'},
        sigmas=ROUNDED,
    ),
    'UniPCMultistepScheduler': Sampler(
        ORDERED,
        dict(spare_zero=True),
        dict(
            disable_corrector=([],),
            predict_x0=(True,),
            solver_order=(2, 3),
            solver_p=(None,),
            solver_type=('bh2',),
        ),
        FINAL,
        sigmas=ROUNDED,
        differs=(BOUNDS, PURE_NOISE, UNIPC_NO_NUMBER),
    ),
}
# Schedulers in sigma / alpha, which scale the input of the network.
SCALED = {name for name in SAMPLERS if 'Discrete' in name}
# Schedulers that start from the noise of sigma_T alone, unless the spacing is
# leading.
IN_NOISE = {'EulerDiscreteScheduler', 'HeunDiscreteScheduler'} | {
    'EulerAncestralDiscreteScheduler'
}
# Sampling of the original code of latent diffusion, in both vocabularies.
DDIM = Sampling(
    'DDIMScheduler',
    dict(
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing='leading',
    ),
    dict(type='DDIM'),
    dict(type='DiffusersGrid', offset=1, to_clean=False),
)
