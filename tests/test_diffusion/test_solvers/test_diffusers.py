"""What diffusers computes by the same name on the same grid.

Its schedulers are told our levels and times by hand. Their noise is ours, by
the function they draw it with. DDIM, DDPM and PNDM run in float64; the others
turn samples or tables to float32.
"""

import sys

import diffusers
import pytest
import torch

from mmldm.diffusion import (
    DDIM,
    DDPM,
    IPNDM,
    PLMS,
    CustomTimes,
    DPMSolverPP,
    Euler,
    EulerAncestral,
    Heun,
    LeadingGrid,
    RectifiedFlow,
    ScaledLinearBetas,
    UniPC,
)

# Of numpy, about torch, in diffusers.
pytestmark = pytest.mark.filterwarnings('ignore:__array__:DeprecationWarning')
SCHEDULE = ScaledLinearBetas()
DOUBLE = dict(rtol=1e-9, atol=1e-9)
SINGLE = dict(rtol=2e-5, atol=2e-5)
TIMES = (999, 930, 810, 640, 500, 333, 210, 90, 33, 8)
SDE = dict(algorithm_type='sde-dpmsolver++')
ON_LEADING = dict(steps_offset=1, clip_sample=False)
CLIPPED = dict(clip_sample=True, clip_sample_range=0.5)
EVERY = [*range(10)]


def name(value):
    return type(value).__name__


@pytest.fixture
def ours(mixture):
    """The latent that a solver ends at, by the noise of seed 1."""

    def run(solver, levels):
        generator = torch.Generator().manual_seed(1)

        def draw(z):
            return torch.randn(
                z.shape, generator=generator, dtype=torch.float64
            )

        return solver(mixture.denoise, start(), levels, draw)

    return run


@pytest.fixture
def theirs(mixture, monkeypatch):
    """The same of a scheduler, whose sample is z times a scale."""

    def run(scheduler, levels, timesteps, scale=1.0, **options):
        generator = torch.Generator().manual_seed(1)

        def draw(shape, **_):
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        module = sys.modules[type(scheduler).__module__]
        if hasattr(module, 'randn_tensor'):
            monkeypatch.setattr(module, 'randn_tensor', draw)
        sample = start() * scale
        for level, t in zip(levels, timesteps, strict=True):
            z = sample
            if hasattr(scheduler, 'scale_model_input'):
                z = scheduler.scale_model_input(sample, t)
            z = z.double()
            z_0 = mixture.denoise(z, level)
            out = target(scheduler, z, z_0, level)
            sample = scheduler.step(out, t, sample, **options).prev_sample
        return sample.double()

    return run


def start():
    return torch.linspace(-2, 2, 9, dtype=torch.float64).view(1, 9)


def target(scheduler, z, z_0, level):
    """The network's output that says so, by the scheduler's prediction."""
    noise = (z - level.alpha * z_0) / level.sigma
    if isinstance(scheduler, diffusers.IPNDMScheduler):
        return level.alpha * noise - level.sigma * z_0
    if isinstance(scheduler, diffusers.FlowMatchEulerDiscreteScheduler):
        return noise - z_0
    return noise


def build(name, **options):
    """A scheduler with our table."""
    scheduler = getattr(diffusers, name)(
        beta_schedule='scaled_linear',
        beta_start=0.0015,
        beta_end=0.0195,
        **options,
    )
    scheduler.alphas_cumprod = SCHEDULE(torch.arange(1000)).alpha ** 2
    for end in ('one', 'final_alpha_cumprod'):
        if hasattr(scheduler, end):
            setattr(scheduler, end, torch.tensor(1.0, dtype=torch.float64))
    return scheduler


def build_dpm(order, **options):
    return build(
        'DPMSolverMultistepScheduler',
        solver_order=order,
        lower_order_final=False,
        **options,
    )


def tell(scheduler, levels):
    """Give it our levels as sigma / alpha; returns its samples' scale."""
    scheduler.set_timesteps(len(levels) - 1)
    sigmas = torch.stack([level.sigma / level.alpha for level in levels])
    times = torch.stack([level.t for level in levels[:-1]])
    if isinstance(scheduler, diffusers.HeunDiscreteScheduler):
        sigmas = torch.cat([sigmas[:1], sigmas[1:].repeat_interleave(2)])
        times = torch.cat([times[:1], times[1:].repeat_interleave(2)])
    scheduler.sigmas, scheduler.timesteps = sigmas, times
    return 1 / levels[0].alpha if 'Discrete' in name(scheduler) else 1.0


@pytest.mark.parametrize(
    'scheduler, solver, options',
    [
        (build('DDIMScheduler', **ON_LEADING), DDIM(), {}),
        (build('DDIMScheduler', **ON_LEADING), DDIM(1.0), dict(eta=1.0)),
        (build('DDIMScheduler', **ON_LEADING), DDIM(0.3), dict(eta=0.3)),
        (
            build('DDIMScheduler', steps_offset=1, **CLIPPED),
            DDIM(0.3, clip=0.5),
            dict(eta=0.3),
        ),
        (
            build('PNDMScheduler', steps_offset=1, skip_prk_steps=True),
            PLMS(coordinates='ve'),
            {},
        ),
    ],
    ids=name,
)
def test_on_the_leading_grid(theirs, ours, scheduler, solver, options):
    scheduler.set_timesteps(10)
    levels = LeadingGrid()(SCHEDULE, 10)
    visited = levels[:-1]
    if isinstance(solver, PLMS):
        visited.insert(1, visited[1])
    torch.testing.assert_close(
        ours(solver, levels),
        theirs(scheduler, visited, scheduler.timesteps, **options),
        **DOUBLE,
    )


@pytest.mark.parametrize('clip', [dict(clip_sample=False), CLIPPED])
@pytest.mark.parametrize(
    'posterior, variance', [(0.0, 'fixed_small'), (1.0, 'fixed_large')]
)
def test_ddpm(theirs, ours, posterior, variance, clip):
    """Without noise in the last step, which theirs has unless it is at 0."""
    times = [*TIMES[:-1], 0]
    scheduler = build('DDPMScheduler', variance_type=variance, **clip)
    scheduler.set_timesteps(timesteps=times)
    levels = CustomTimes(times)(SCHEDULE, 10)
    torch.testing.assert_close(
        ours(DDPM(posterior, clip.get('clip_sample_range')), levels),
        theirs(scheduler, levels[:-1], scheduler.timesteps),
        **DOUBLE,
    )


@pytest.mark.parametrize(
    'scheduler, solver',
    [
        (build('EulerDiscreteScheduler'), Euler()),
        (build('EulerAncestralDiscreteScheduler'), EulerAncestral()),
        (build('HeunDiscreteScheduler'), Heun(coordinates='ve')),
        (build_dpm(1), DPMSolverPP(1)),
        (build_dpm(2), DPMSolverPP(2, lower_order_final=False)),
        (build_dpm(1, **SDE), DPMSolverPP(1, stochastic=True)),
        (build_dpm(2, **SDE), DPMSolverPP(2, stochastic=True)),
        (build('UniPCMultistepScheduler', solver_order=2), UniPC(2)),
    ],
    ids=name,
)
def test_on_given_levels(theirs, ours, scheduler, solver):
    levels = CustomTimes(TIMES)(SCHEDULE, 10)
    scale = tell(scheduler, levels)
    visited = levels[:-1]
    if isinstance(solver, Heun):
        visited = [visited[0], *(x for x in visited[1:] for _ in range(2))]
    torch.testing.assert_close(
        ours(solver, levels),
        theirs(scheduler, visited, scheduler.timesteps, scale),
        **SINGLE,
    )


@pytest.mark.parametrize(
    'options, solver',
    [
        (dict(solver_order=2), UniPC(2)),
        (dict(solver_order=3), UniPC(3)),
        # Without its corrector it is DPM-Solver++ of the same order.
        (dict(solver_order=2, disable_corrector=EVERY), DPMSolverPP(2)),
        (dict(solver_order=3, disable_corrector=EVERY), DPMSolverPP(3)),
    ],
)
def test_unipc_that_keeps_its_order_to_the_end(theirs, ours, options, solver):
    """To a level that is not clean: theirs knows no other last step."""
    solver.lower_order_final = False
    scheduler = build(
        'UniPCMultistepScheduler', lower_order_final=False, **options
    )
    levels = CustomTimes(TIMES)(SCHEDULE, 10)[:-1]
    tell(scheduler, levels)
    torch.testing.assert_close(
        ours(solver, levels),
        theirs(scheduler, levels[:-1], scheduler.timesteps),
        **SINGLE,
    )


def test_third_order(theirs, ours):
    """To a level that is not clean; in our own order 3 it is UniPC's.

    Their stochastic order 3 has another sign than the integral it stands
    for, so that no option gives its numbers.
    """
    levels = CustomTimes(TIMES)(SCHEDULE, 10)[:-1]
    scheduler = build_dpm(3, final_sigmas_type='sigma_min')
    tell(scheduler, levels)
    expected = theirs(scheduler, levels[:-1], scheduler.timesteps)
    keep = dict(lower_order_final=False)
    found = ours(DPMSolverPP(3, as_in_diffusers=True, **keep), levels)
    torch.testing.assert_close(found, expected, **SINGLE)
    exact = ours(DPMSolverPP(3, **keep), levels)
    assert not torch.allclose(exact, expected, **SINGLE)


@pytest.mark.parametrize('order, stochastic', [(1, False), (3, True)])
def test_their_numbers_are_of_order_3_alone(order, stochastic):
    with pytest.raises(
        ValueError, match=f'as_in_diffusers=True .*got order={order}'
    ):
        DPMSolverPP(order, stochastic, as_in_diffusers=True)


def test_ipndm(theirs, ours):
    """Their grid is sin and cos of the time, replaced by our levels."""
    levels = CustomTimes(TIMES)(SCHEDULE, 10)
    scheduler = diffusers.IPNDMScheduler()
    scheduler.set_timesteps(10)
    scheduler.timesteps = torch.tensor(TIMES)
    scheduler.alphas = torch.stack([level.alpha for level in levels])
    scheduler.betas = torch.stack([level.sigma for level in levels])
    torch.testing.assert_close(
        ours(IPNDM(4), levels),
        theirs(scheduler, levels[:-1], TIMES),
        **DOUBLE,
    )


@pytest.mark.parametrize('solver', [DDIM(), Euler()], ids=name)
def test_euler_on_rectified_flow(theirs, ours, solver):
    levels = CustomTimes(TIMES)(RectifiedFlow(), 10)
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(10)
    scheduler.timesteps = torch.tensor(TIMES, dtype=torch.float64)
    scheduler.sigmas = torch.stack([level.sigma for level in levels])
    torch.testing.assert_close(
        ours(solver, levels),
        theirs(scheduler, levels[:-1], scheduler.timesteps),
        **SINGLE,
    )
