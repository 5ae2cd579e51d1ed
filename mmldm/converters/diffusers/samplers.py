"""The schedulers of diffusers that ours has too, in its vocabulary.

What each does otherwise than ours is in ``differences.py`` and, of keys with
a single counterpart, in ``Sampler.fixed``: imports note it, exports avoid it.
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
    """A way of sampling, there and here.

    Attributes:
        name: The scheduler there.
        keys: Of its config.
        solver: Config of ours.
        time_grid: Config of ours.
        notes: In what one differs from the other.
    """

    name: str
    keys: dict[str, Any]
    solver: dict[str, Any]
    time_grid: dict[str, Any]
    notes: tuple[str, ...] = ()


class Sampler(NamedTuple):
    """A scheduler of diffusers that ours has too.

    Attributes:
        defaults: What it takes where a key is left out.
        rounding: Arguments of ``DiffusersGrid`` that are its own.
        fixed: The values that ours has, by key; another gets a note.
        end: Key and values for a last step to the clean level, and to the
            first of the schedule; None where it is always clean.
        lacks: Keys of betas and spacing that it does not read.
        sigmas: How it rounds the times of levels that are spaced in noise,
            by the key of ``MEASURES`` that asks for them.
        differs: In what it draws something else than ours.
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
# Keys that change what the network is or is told, or what a latent may be:
# the value that is refused, and why.
REFUSED = {
    'thresholding': (
        True,
        'clips each image at a quantile of its own values, which is made for '
        'pixels: no solver here does: set it to False',
    ),
    'timestep_type': (
        'continuous',
        'tells the network log(sigma) / 4 in place of a time: no noise '
        "schedule with betas here does: only 'discrete' has a counterpart",
    ),
    'use_flow_sigmas': (
        True,
        'is for models of rectified flow, whose latents are not those of '
        'betas: there is no counterpart',
    ),
}
# Schedulers without betas: what their models are.
WITHOUT_BETAS = {
    'EDM': (
        'the network is told log(sigma) / 4 in place of a time, and its '
        'inputs and outputs are scaled as in Karras et al. 2022'
    ),
    'FlowMatch': 'latents are those of rectified flow',
}
FINAL = ('final_sigmas_type', 'zero', 'sigma_min')
LEADING = dict(timestep_spacing='leading', steps_offset=0)
LINSPACE = dict(timestep_spacing='linspace', steps_offset=0)
CLIPPED = dict(clip_sample=True, clip_sample_range=1.0)
# Of those whose order can be chosen.
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
            # Its latents are divided by alpha, which then is not 1.
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
# Those in sigma / alpha, which scale what the network is given.
SCALED = {name for name in SAMPLERS if 'Discrete' in name}
# Those whose paths begin with the noise of sigma_T alone, unless the spacing
# is leading.
IN_NOISE = {'EulerDiscreteScheduler', 'HeunDiscreteScheduler'} | {
    'EulerAncestralDiscreteScheduler'
}
# What the original code of latent diffusion does, in both vocabularies.
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
