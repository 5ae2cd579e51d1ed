"""The times and levels of the schedulers of diffusers."""

import diffusers
import pytest
import torch

from mmldm.diffusion import (
    DDIM,
    CustomBetas,
    DiffusersGrid,
    RectifiedFlow,
    ScaledLinearBetas,
    ZeroTerminalSNR,
)

# Of numpy, about torch, in diffusers.
pytestmark = pytest.mark.filterwarnings('ignore:__array__:DeprecationWarning')
BETAS = dict(beta_schedule='scaled_linear', beta_start=0.00085, beta_end=0.012)
SCHEDULE = ScaledLinearBetas(0.00085, 0.012)
STEPS = [1, 2, 3, 7, 10, 20, 30, 33, 50, 77, 100, 200, 333, 500, 700]
# How each scheduler of diffusers rounds.
ROUNDING = {
    'DDIMScheduler': {},
    'PNDMScheduler': {},
    'DDPMScheduler': {},
    'EulerDiscreteScheduler': dict(rounded=False),
    'EulerAncestralDiscreteScheduler': dict(rounded=False),
    'HeunDiscreteScheduler': dict(rounded=False),
    'DPMSolverMultistepScheduler': dict(spare_zero=True),
    'UniPCMultistepScheduler': dict(spare_zero=True),
}


def build(name, **options):
    if name == 'PNDMScheduler':
        options |= dict(skip_prk_steps=True)
    return getattr(diffusers, name)(**BETAS, **options)


def visited(scheduler, num_steps):
    """Times in order, each once."""
    scheduler.set_timesteps(num_steps)
    return scheduler.timesteps.double().unique_consecutive()


@pytest.mark.parametrize('spacing', ['leading', 'linspace', 'trailing'])
@pytest.mark.parametrize('name', ROUNDING)
def test_times_are_those_of_diffusers(name, spacing):
    options = dict(timestep_spacing=spacing)
    offset = 1 if spacing == 'leading' else 0
    scheduler = build(name, **options, steps_offset=offset)
    grid = DiffusersGrid(spacing, offset, **ROUNDING[name])
    # With PNDM a single step is none: its first leads to the second time.
    for num_steps in STEPS[name == 'PNDMScheduler' :]:
        levels = grid(SCHEDULE, num_steps)
        found = torch.stack([level.t for level in levels[:-1]])
        torch.testing.assert_close(
            found, visited(scheduler, num_steps), rtol=1e-6, atol=1e-4
        )
        sigmas = torch.stack([level.sigma / level.alpha for level in levels])
        if hasattr(scheduler, 'sigmas') and 'Heun' not in name:
            torch.testing.assert_close(
                sigmas, scheduler.sigmas.double(), rtol=1e-4, atol=1e-6
            )


@pytest.mark.parametrize('to_clean', [True, False])
@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('num_steps', [7, 50])
def test_ddim_ends_where_diffusers_does(num_steps, offset, to_clean, gaussian):
    scheduler = build(
        'DDIMScheduler',
        set_alpha_to_one=to_clean,
        steps_offset=offset,
        clip_sample=False,
    )
    grid = DiffusersGrid(offset=offset, to_clean=to_clean)
    levels = grid(SCHEDULE, num_steps)
    assert levels[-1].sigma == 0 or float(levels[-1].t) == 0
    scheduler.set_timesteps(num_steps)
    expected = z = torch.linspace(-2, 2, 5, dtype=torch.float64)
    for t, level in zip(scheduler.timesteps, levels[:-1], strict=True):
        z_0 = gaussian.denoise(expected, level)
        noise = (expected - level.alpha * z_0) / level.sigma
        expected = scheduler.step(noise, t, expected).prev_sample
    found = DDIM()(gaussian.denoise, z, levels)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_the_schedules_first_level_is_not_clean():
    first = DiffusersGrid(to_clean=False)(SCHEDULE, 4)[-1]
    assert float(first.alpha) ** 2 == pytest.approx(1 - 0.00085)


def test_pure_noise_is_the_first_of_trailing_times():
    config = dict(type='ScaledLinearBetas', start=0.00085, end=0.012)
    schedule = ZeroTerminalSNR(config)
    for rounded in (True, False):
        levels = DiffusersGrid('trailing', rounded=rounded)(schedule, 50)
        assert (float(levels[0].t), float(levels[0].alpha)) == (999, 0)
        assert all(level.sigma.isfinite() for level in levels)


def test_another_length_than_1000():
    schedule = CustomBetas(torch.linspace(1e-3, 0.1, 10).tolist())
    times = [float(x.t) for x in DiffusersGrid(offset=1)(schedule, 3)]
    assert times == [7, 4, 1, 0]


@pytest.mark.parametrize(
    'options, num_steps, message',
    [
        (dict(offset=1), 1000, 'offset=1 with num_steps=1000 gives time 100'),
        (dict(spare_zero=True), 1000, 'does not fall to the clean level'),
        (dict(offset=-1), 5, 'offset=-1 must be >= 0'),
        (dict(spacing='karras'), 5, "spacing='karras' is not known.*leading"),
    ],
)
def test_what_diffusers_cannot_visit_is_refused(options, num_steps, message):
    with pytest.raises(ValueError, match=message):
        DiffusersGrid(**options)(SCHEDULE, num_steps)


def test_continuous_time_has_no_such_times():
    with pytest.raises(ValueError, match='not available for RectifiedFlow'):
        DiffusersGrid()(RectifiedFlow(), 5)


@pytest.mark.parametrize('num_steps', [2, 20, 30, 38, 50, 999, 1000])
def test_linspace_times_from_pure_noise_are_those_of_diffusers(num_steps):
    """Only its first level is infinitely noisy; theirs is 2^-12 of signal."""
    options = dict(rescale_betas_zero_snr=True, timestep_spacing='linspace')
    scheduler = build('EulerDiscreteScheduler', **options)
    scheduler.set_timesteps(num_steps)
    config = dict(type='ScaledLinearBetas', start=0.00085, end=0.012)
    levels = DiffusersGrid('linspace', rounded=False)(
        ZeroTerminalSNR(config), num_steps
    )
    ratio = torch.stack([level.sigma / level.alpha for level in levels])
    assert ratio[0].isinf() and ratio[1:].isfinite().all()
    torch.testing.assert_close(
        ratio[1:], scheduler.sigmas[1:].double(), rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize('spacing', ['leading', 'linspace', 'trailing'])
@pytest.mark.parametrize('rounded', [True, False])
@pytest.mark.parametrize('spare_zero', [True, False])
def test_no_number_of_steps_gives_a_level_that_is_no_number(
    spacing, rounded, spare_zero
):
    schedule = ZeroTerminalSNR(dict(type='ScaledLinearBetas'))
    grid = DiffusersGrid(spacing, rounded=rounded, spare_zero=spare_zero)
    for num_steps in [*range(1, 51), 100, 250, 777]:
        for level in grid(schedule, num_steps):
            assert level.alpha.isfinite() and level.sigma.isfinite()
