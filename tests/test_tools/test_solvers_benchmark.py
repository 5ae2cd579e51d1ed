"""What tools/benchmarks/solvers.py says of a small mixture."""

import json
import sys

import pytest
from mmengine.config import Config

from mmldm.apis.first_stages import take_first_stage
from mmldm.diffusion import LogSNRGrid, ScaledLinearBetas
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint

SMALL = '--num-samples 8 --num-modes 3 --dim 2 --reference-steps 100'


@pytest.fixture
def tool(load_benchmark):
    return load_benchmark('solvers')


@pytest.fixture
def run(tool, monkeypatch, capsys):
    """Runs the tool with these flags; returns what it prints."""

    def run(*flags):
        argv = ['solvers.py', *SMALL.split(), *map(str, flags)]
        monkeypatch.setattr(sys, 'argv', argv)
        tool.main()
        return capsys.readouterr().out

    return run


FEW = (
    '--solvers',
    'DDIM',
    'UniPC-2',
    '--grids',
    'log-SNR',
    '--nfe',
    '5',
    '15',
)


def test_errors_fall_and_the_best_is_named(run, tmp_path):
    path = tmp_path / 'errors.json'
    out = run(*FEW, '--out', path)
    rows = json.loads(path.read_text())['rows']
    errors = {(row['solver'], row['grid']): row['errors'] for row in rows}
    for error in errors.values():
        assert error['15'] < error['5']
    assert errors['UniPC-2', 'log-SNR']['15'] < errors['DDIM', 'log-SNR']['15']
    assert 'Best with 15: ' in out and 'Best with 10' not in out
    cell = f'{errors["DDIM", "log-SNR"]["5"]:.4f}'.lstrip('0')
    assert f'| log-SNR | DDIM | {cell} |' in out
    bar = f'{errors["DDIM", "leading"]["200"]:.4f}'.lstrip('0')
    assert f'DDIM on the leading grid with 200: {bar}' in out


@pytest.mark.parametrize('scale, aim', [(1, 12), (2, 15), (5, 20)])
def test_the_mixture_is_guided(run, scale, aim):
    out = run(*FEW[:-1], '20', '--guidance', scale)
    assert f'guidance {scale};' in out
    assert f'(<= {aim})' in out or f'with {aim}: aim missed' in out


@pytest.mark.parametrize('scale, aim', [(1, 12), (2, 15), (5, 20)])
@pytest.mark.parametrize('modes, dim', [(3, 2), (10, 16), (40, 32)])
def test_the_default_is_nearer_than_ddim_with_200(run, scale, aim, modes, dim):
    """Of mixtures that were not asked when it was chosen, too."""
    problem = f'--num-modes {modes} --dim {dim} --guidance {scale} --seed 7'
    sizes = '--num-samples 48 --reference-steps 300'
    rows = f'--solvers DDIM --grids leading --nfe {aim}'
    out = run(*f'{problem} {sizes} {rows}'.split())
    assert out.splitlines()[-1].endswith(f'aim (<= {aim}) met')


@pytest.mark.parametrize(
    'solver, order, said',
    [
        ('UniPC', 2, 'gets below it with 12'),
        ('DPMSolverPP', 1, 'aim missed'),
    ],
)
def test_the_default_is_that_of_the_config(run, solver, order, said):
    """Of the config, with its options."""
    part = 'model.diffusion_scheduler'
    out = run(
        *FEW,
        '12',
        '--cfg-options',
        f'{part}.solver.type={solver}',
        f'{part}.solver.order={order}',
        f'{part}.time_grid.last_time=0.0002',
    )
    verdict = out.splitlines()[-1]
    assert said in verdict and 'EqualErrorGrid, 0.0002' in verdict


def test_a_solver_with_two_evaluations_a_step_has_half_the_steps(tool):
    """No solver evaluates more often than it is allowed to."""
    from solver_paths import build

    schedule = ScaledLinearBetas()
    for part in tool.SOLVERS.values():
        for nfe in (5, 8, 15):
            visited = []

            def denoise(z, level, visited=visited):
                visited.append(level)
                return z

            levels = LogSNRGrid()(schedule, tool.steps_for(part, nfe))
            build(part)(denoise, levels[0].sigma, levels)
            assert nfe - 1 <= len(visited) <= nfe


def test_a_picture_is_drawn(run, tmp_path):
    path = tmp_path / 'errors.png'
    run(*FEW, '--plot', path)
    assert path.read_bytes().startswith(b'\x89PNG')


@pytest.mark.slow
def test_a_checkpoint_is_measured(run, config, tmp_path, monkeypatch):
    """From the addresses of its own requests, so the same in every run."""
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromfile(config)
    take_first_stage(cfg.model)
    model = MODELS.build(cfg.model)
    checkpoint = tmp_path / 'model.pth'
    write_checkpoint(dict(state_dict=model.state_dict()), checkpoint)
    flags = (*FEW, '--config', config, '--checkpoint', checkpoint)
    first, second = (run(*flags, '--num-samples', '2') for _ in range(2))
    assert first == second
    assert first.startswith(f'{checkpoint} of tiny.py; 2 samples')
    assert not [*tmp_path.glob('work_dirs')]


@pytest.mark.parametrize(
    'flags, message',
    [
        (['--nfe', '1'], '--nfe 1 must be 2 or more'),
        (['--num-samples', '0'], '--num-samples=0 must be in'),
    ],
)
def test_impossible_flags_are_refused(run, flags, message):
    with pytest.raises(ValueError, match=message):
        run(*flags)
