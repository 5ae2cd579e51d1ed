import pytest
import torch

from mmldm.diffusion import (
    LeadingGrid,
    LinspaceGrid,
    LogSNRGrid,
    RectifiedFlow,
    ScaledLinearBetas,
    TrailingGrid,
)


@pytest.fixture(
    params=[LeadingGrid(), TrailingGrid(), LinspaceGrid(), LogSNRGrid()],
    ids=lambda grid: type(grid).__name__,
)
def grid(request):
    return request.param


def times(levels):
    return [float(level.t) for level in levels]


def assert_runs_from_noise_to_clean(levels, num_steps):
    assert len(levels) == num_steps + 1
    assert levels[-1].sigma == 0
    noise = torch.stack([level.sigma / level.alpha for level in levels])
    assert noise.isfinite().all()
    assert (noise.diff() < 0).all()


@pytest.mark.parametrize('num_steps', [1, 2, 3, 7, 15, 50, 999, 1000])
def test_every_step_that_is_asked_takes_noise_away(grid, num_steps):
    schedule = ScaledLinearBetas()
    levels = grid(schedule, num_steps)
    assert_runs_from_noise_to_clean(levels, num_steps)
    assert max(times(levels)) <= schedule.last + 1e-9


@pytest.mark.parametrize('num_steps', [1, 2, 7, 50, 999])
def test_grids_run_on_continuous_time(grid, num_steps):
    assert_runs_from_noise_to_clean(
        grid(RectifiedFlow(), num_steps), num_steps
    )


@pytest.mark.parametrize(
    'grid, num_steps',
    [
        (LeadingGrid(), 1000),
        (TrailingGrid(), 1000),
        (LeadingGrid(offset=0), 5),
    ],
)
def test_a_grid_that_is_clean_too_early_is_refused(grid, num_steps):
    """DDIM would divide by a sigma of zero."""
    with pytest.raises(ValueError, match='RectifiedFlow: take fewer steps'):
        grid(RectifiedFlow(), num_steps)


def test_a_grid_without_room_for_its_steps_is_refused():
    with pytest.raises(ValueError, match='an end nearer to 0'):
        LogSNRGrid(last_time=0.9995)(ScaledLinearBetas(), 4)


def test_a_negative_offset_is_refused():
    with pytest.raises(ValueError, match='offset=-5 must be >= 0'):
        LeadingGrid(offset=-5)


@pytest.mark.parametrize('num_steps', [0, -1, 1001])
def test_impossible_numbers_of_steps_are_refused(grid, num_steps):
    with pytest.raises(
        ValueError, match=rf'num_steps={num_steps} must be in \[1, 1000'
    ):
        grid(ScaledLinearBetas(), num_steps)


def test_the_leading_grid_is_ddims():
    """As the original code, where the stride is whole."""
    expected = [801, 601, 401, 201, 1, 0]
    assert times(LeadingGrid()(ScaledLinearBetas(), 5)) == expected


@pytest.mark.parametrize('offset', [0, 7, 12.5])
def test_the_leading_grid_ends_at_its_offset(offset):
    levels = LeadingGrid(offset)(ScaledLinearBetas(), 50)
    assert times(levels)[-2:] == [offset, 0]
    assert times(levels)[0] == 980 + offset


def test_the_trailing_grid_starts_at_the_end():
    """Lin et al. 2024, table 2, whose times 1 to 1000 are ours plus 1."""
    expected = [999, 799, 599, 399, 199, 0]
    assert times(TrailingGrid()(ScaledLinearBetas(), 5)) == expected


def test_the_linspace_grid_has_equal_strides_to_time_0():
    levels = LinspaceGrid()(ScaledLinearBetas(), 50)
    strides = -torch.tensor(times(levels)).diff()
    torch.testing.assert_close(
        strides, torch.full((50,), 999 / 50), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize('last_time', [0.001, 0.1])
def test_the_log_snr_grid_has_equal_strides_in_log_snr(last_time):
    schedule = ScaledLinearBetas()
    *noisy, _ = LogSNRGrid(last_time)(schedule, 20)
    log_snr = torch.stack([level.log_snr for level in noisy])
    first, last = schedule(999), schedule(1000 * last_time)
    expected = torch.linspace(
        float(first.log_snr), float(last.log_snr), 20, dtype=torch.float64
    )
    torch.testing.assert_close(log_snr, expected)


@pytest.mark.parametrize('last_time', [0, 1, -0.1])
def test_a_last_time_off_the_axis_is_refused(last_time):
    with pytest.raises(ValueError, match=f'last_time={last_time} must be in'):
        LogSNRGrid(last_time)
