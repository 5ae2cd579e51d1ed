"""The schedulers of diffusers that ours has too, in its vocabulary."""

import math
from typing import Any, NamedTuple


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
        lacks: Keys of betas that it does not read.
        steps_back: It steps by T // num_steps, whatever the next time is.
    """

    defaults: dict[str, Any]
    rounding: dict[str, Any]
    fixed: dict[str, tuple]
    end: tuple[str, Any, Any] | None = None
    lacks: frozenset[str] = frozenset()
    steps_back: bool = False


# What all schedulers there take where a key is left out.
SHARED = dict(
    beta_end=0.02,
    beta_schedule='linear',
    beta_start=1e-4,
    num_train_timesteps=1000,
    prediction_type='epsilon',
)
ZERO_SNR = frozenset({'rescale_betas_zero_snr'})
SPACED = {
    'use_beta_sigmas': (False, None),
    'use_exponential_sigmas': (False, None),
    'use_flow_sigmas': (False, None),
    'use_karras_sigmas': (False, None),
    'use_lu_lambdas': (False, None),
}
FINAL = ('final_sigmas_type', 'zero', 'sigma_min')
LEADING = dict(timestep_spacing='leading', steps_offset=0)
LINSPACE = dict(timestep_spacing='linspace', steps_offset=0)
CLIPPED = dict(clip_sample=True, clip_sample_range=1.0)
SAMPLERS = {
    'DDIMScheduler': Sampler(
        LEADING | CLIPPED | dict(set_alpha_to_one=True),
        {},
        dict(thresholding=(False,)),
        ('set_alpha_to_one', True, False),
        steps_back=True,
    ),
    'DDPMScheduler': Sampler(
        LEADING | CLIPPED | dict(variance_type='fixed_small'),
        {},
        dict(
            thresholding=(False,), variance_type=('fixed_small', 'fixed_large')
        ),
    ),
    'PNDMScheduler': Sampler(
        LEADING | dict(set_alpha_to_one=False, skip_prk_steps=False),
        {},
        dict(skip_prk_steps=(True,)),
        ('set_alpha_to_one', True, False),
        ZERO_SNR,
        steps_back=True,
    ),
    'EulerDiscreteScheduler': Sampler(
        LINSPACE,
        dict(rounded=False),
        SPACED
        | dict(
            # Its latents are divided by alpha, which then is not 1.
            final_sigmas_type=('zero',),
            interpolation_type=('linear',),
            timestep_type=('discrete',),
        ),
    ),
    'EulerAncestralDiscreteScheduler': Sampler(
        LINSPACE, dict(rounded=False), {}
    ),
    'HeunDiscreteScheduler': Sampler(
        LINSPACE | dict(beta_start=0.00085, beta_end=0.012),
        dict(rounded=False),
        SPACED | dict(clip_sample=(False,)),
        lacks=ZERO_SNR,
    ),
    'DPMSolverMultistepScheduler': Sampler(
        LINSPACE
        | dict(
            solver_order=2,
            lower_order_final=True,
            algorithm_type='dpmsolver++',
            final_sigmas_type='zero',
        ),
        dict(spare_zero=True),
        SPACED
        | dict(
            algorithm_type=('dpmsolver++', 'sde-dpmsolver++'),
            lambda_min_clipped=(-math.inf,),
            solver_type=('midpoint',),
            thresholding=(False,),
        ),
        FINAL,
    ),
    'UniPCMultistepScheduler': Sampler(
        LINSPACE
        | dict(
            solver_order=2,
            lower_order_final=True,
            final_sigmas_type='zero',
        ),
        dict(spare_zero=True),
        SPACED
        | dict(
            disable_corrector=([],),
            predict_x0=(True,),
            solver_order=(2, 3),
            solver_type=('bh2',),
            thresholding=(False,),
        ),
        FINAL,
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
