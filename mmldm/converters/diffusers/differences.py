"""Differences between the samples of schedulers of diffusers 0.42 and ours."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Keys = Mapping[str, Any]
# Grids spaced in noise, by the key that selects them; the first one counts.
MEASURES = {
    'use_karras_sigmas': dict(type='KarrasGrid'),
    'use_lu_lambdas': dict(type='LogSNRGrid'),
    'use_exponential_sigmas': dict(type='LogSNRGrid'),
    'use_beta_sigmas': dict(type='BetaGrid'),
}


class Difference(NamedTuple):
    """A case in which a scheduler of diffusers generates other samples.

    Attributes:
        when: Whether the case applies, by the keys of the scheduler's config
            and the number of steps; None stands for any number.
        note: Description, which continues the name of the scheduler.
    """

    when: Callable[[Keys, int | None], bool]
    note: str


def steps_elsewhere(keys: Keys, num_steps: int | None) -> bool:
    """Whether T // num_steps before a time is not the next time."""
    length = keys.get('num_train_timesteps', 1000)
    if keys['timestep_spacing'] == 'linspace':
        return True
    if keys['timestep_spacing'] == 'trailing':
        return num_steps is None or length % num_steps != 0
    # The last step leads to a time >= 0 instead of the end.
    return num_steps is not None and (
        keys['steps_offset'] >= length // num_steps
    )


def ends_noisy(keys: Keys, num_steps: int | None) -> bool:
    """Whether DDPM adds noise after its last time, which is not 0."""
    leading = keys['timestep_spacing'] == 'leading'
    last_is_0 = keys['timestep_spacing'] == 'linspace' or (
        leading and keys['steps_offset'] == 0
    )
    return keys['variance_type'] == 'fixed_large' and not last_is_0


def averages_v(keys: Keys, num_steps: int | None) -> bool:
    return keys.get('prediction_type') == 'v_prediction'


def spaced_in_noise(keys: Keys) -> bool:
    return any(keys.get(key) for key in MEASURES)


def ends_nowhere(keys: Keys) -> bool:
    """Whether the last step has length 0, by which order 3 divides."""
    clean = keys['final_sigmas_type'] == 'zero'
    return spaced_in_noise(keys) and not clean and keys['solver_order'] > 2


def unipc_divides_by_0(keys: Keys, num_steps: int | None) -> bool:
    clean = keys['final_sigmas_type'] == 'zero'
    return not keys['lower_order_final'] and (clean or ends_nowhere(keys))


def multistep_divides_by_0(keys: Keys, num_steps: int | None) -> bool:
    # From 15 steps on, it does not lower the order.
    many = num_steps is None or num_steps >= 15
    return ends_nowhere(keys) and (many or not keys['lower_order_final'])


def third_order_of_sde(keys: Keys, num_steps: int | None) -> bool:
    return keys['solver_order'] == 3 and keys['algorithm_type'].startswith(
        'sde'
    )


def bounded(keys: Keys, num_steps: int | None) -> bool:
    """Whether levels are spaced in noise between two given levels."""
    given = (keys.get('sigma_min'), keys.get('sigma_max')) != (None, None)
    return given and spaced_in_noise(keys)


def extrapolates_from_pure_noise(keys: Keys, num_steps: int | None) -> bool:
    pure = keys.get('rescale_betas_zero_snr')
    return (
        bool(pure) and keys['solver_order'] > 1 and not spaced_in_noise(keys)
    )


def starts_far_away(keys: Keys, num_steps: int | None) -> bool:
    """Whether averaging noise from sigma 20,291 on loses digits."""
    cosine = keys.get('beta_schedule') == 'squaredcos_cap_v2'
    leading = keys['timestep_spacing'] == 'leading'
    return cosine and not leading and not spaced_in_noise(keys)


ELSEWHERE = Difference(
    steps_elsewhere,
    'steps from each time to the one num_train_timesteps // num_steps before '
    'it, which is not the next that it visits where the spacing is linspace, '
    'or trailing and num_steps does not divide num_train_timesteps: here each '
    'step leads to the next time',
)
NOISY = Difference(
    ends_noisy,
    "with variance_type='fixed_large' adds noise in the last step too, unless "
    'its time is 0: here the last step adds none',
)
AVERAGES = Difference(
    averages_v,
    'extrapolates v, which is measured from another latent at each level: '
    'here the noise is extrapolated, as for epsilon',
)
UNIPC_NO_NUMBER = Difference(
    unipc_divides_by_0,
    'with lower_order_final=False ends in no number, where its last step is '
    'to sigma 0 or has no length: here that step is of order 1',
)
MULTISTEP_NO_NUMBER = Difference(
    multistep_divides_by_0,
    'of order 3 ends in no number, where its last step has no length and its '
    'order is not lowered, as from 15 steps on: here that step does nothing',
)
SDE = Difference(
    third_order_of_sde,
    "with solver_order=3 and algorithm_type='sde-dpmsolver++' weighs its "
    'differences as no polynomial does: here they have the weights of one '
    'through three estimates',
)
BOUNDS = Difference(
    bounded,
    'spaces sigmas from sigma_max to sigma_min: here they reach from the '
    'first to the last that it has without these',
)
PURE_NOISE = Difference(
    extrapolates_from_pure_noise,
    'with rescale_betas_zero_snr begins with 2^-12 of signal, and looks back '
    'on that level: here it is noise alone, on which nothing looks back; '
    'with 10 steps they end 2e-3 apart',
)
SINGLE_PRECISION = Difference(
    starts_far_away,
    'on a cosine schedule averages the noise from sigma 20,291 on in float32, '
    'which ends off by 2e-3: levels are in float64 here',
)
