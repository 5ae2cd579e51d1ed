"""Two gloo processes on a CPU, started as users start them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmldm.utils.checkpoint import read_checkpoint

ROOT = Path(__file__).parents[2]
ENVIRON = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable}

# Ten images against a few real ones, by a network that sees little.
JUDGE = (
    '--cfg-options',
    "test_evaluator={'_delete_': True, 'type': 'GeneratedImages', "
    "'measures': ['fd', 'kid'], "
    "'features': {'type': 'EfficientNetLiteFeatures', 'side': 32}, "
    "'reference': None}",
)


def launch(script, *arguments, port=''):
    """Run a shell tool; its status and output."""
    done = subprocess.run(
        ['bash', str(ROOT / 'tools' / script), *map(str, arguments)],
        env={**ENVIRON, 'PORT': str(port)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout + done.stderr


def end_of(work_dir, iteration=4):
    return read_checkpoint(Path(work_dir) / f'iter_{iteration}.pth')


@pytest.mark.slow
def test_two_processes_see_what_one_sees(run_tool, config, tmp_path, port):
    """Losses, scale and images: the same global batch and addresses."""
    run_tool('train', config, '--work-dir', tmp_path / 'one')
    status, log = launch(
        'dist_train.sh', config, 2, '--work-dir', tmp_path / 'two', port=port
    )
    assert status == 0, log
    one, two = end_of(tmp_path / 'one'), end_of(tmp_path / 'two')
    scales = [
        end['state_dict']['autoencoder.latent_scale'] for end in (one, two)
    ]
    assert torch.equal(*scales)
    assert (scales[0] != 1).all()
    for name, weight in one['state_dict'].items():
        torch.testing.assert_close(
            two['state_dict'][name], weight, rtol=1e-3, atol=1e-5
        )
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)

    run_tool(
        'test',
        config,
        tmp_path / 'one',
        '--show-dir',
        tmp_path / 'a',
        '--out',
        tmp_path / 'a.json',
        '--work-dir',
        tmp_path / 'w',
        *JUDGE,
    )
    status, log = launch(
        'dist_test.sh',
        config,
        tmp_path / 'one',
        2,
        '--show-dir',
        tmp_path / 'b',
        '--out',
        tmp_path / 'b.json',
        '--work-dir',
        tmp_path / 'w',
        *JUDGE,
        port=port,
    )
    assert status == 0, log
    names, others = (
        sorted(path.relative_to(folder) for path in folder.rglob('*.png'))
        for folder in (tmp_path / 'a', tmp_path / 'b')
    )
    assert names == others and len(names) == 10 + 1
    for name in names:
        one, two = (
            cv2.imread(str(tmp_path / folder / name)).astype(int)
            for folder in ('a', 'b')
        )
        # Another batch size may round the other way.
        assert abs(one - two).max() <= 1, name
    metrics, others = (
        json.loads((tmp_path / f'{folder}.json').read_text())
        for folder in ('a', 'b')
    )
    assert metrics == pytest.approx(others, rel=1e-2)
    assert metrics['efficientnet_lite0/num_images'] == 10


def losses(checkpoint):
    return checkpoint['message_hub']['log_scalars']['train/loss'][0].tolist()


@pytest.mark.slow
def test_flags_work_in_two_processes(run_tool, config, tmp_path, port):
    """They go on with what one process began."""
    work = tmp_path / 'work'
    flags = ('--work-dir', work, '--amp', 'bfloat16', '--auto-scale-lr')
    run_tool('train', config, *flags)
    os.remove(work / 'iter_4.pth')
    status, log = launch(
        'dist_train.sh', config, 2, *flags, '--resume', port=port
    )
    assert status == 0, log
    assert end_of(work)['meta']['iter'] == 4


SHAPES = """
_base_ = '{config}'
train_dataloader = dict(
    global_batch_size=6,
    dataset=dict(
        _delete_=True, type='ImageFolder', data_root='{images}', size=32,
        annotations=[dict(type='FolderClasses')],
        buckets=dict(type='AspectBuckets', step=8),
        pipeline=[
            dict(type='LoadImage'), dict(type='ResizeShorterSide'),
            dict(type='Crop', random=True), dict(type='PackInputs')]))
val_dataloader = dict(dataset=dict(size=32))
param_scheduler = []
"""


@pytest.mark.slow
@pytest.mark.parametrize('processes', [2, 3])
def test_batches_of_one_size_are_those_of_one_process(
    run_tool, config, tmp_path, port, processes
):
    rng = np.random.default_rng(0)
    shapes = [(40, 64)] * 7 + [(64, 40)] * 5 + [(40, 40)]
    for i, shape in enumerate(shapes):
        path = tmp_path / f'images/a/{i}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (*shape, 3), np.uint8))
    path = tmp_path / 'shapes.py'
    path.write_text(SHAPES.format(config=config, images=tmp_path / 'images'))
    run_tool('train', path, '--work-dir', tmp_path / 'one')
    flags = (processes, '--work-dir', tmp_path / 'more')
    status, log = launch('dist_train.sh', path, *flags, port=port)
    assert status == 0, log
    one, more = end_of(tmp_path / 'one'), end_of(tmp_path / 'more')
    assert losses(more) == pytest.approx(losses(one), rel=1e-4)
    assert more['meta']['size_counts'] == one['meta']['size_counts']


# In float64, rounding stays small where a discriminator, or a vector between
# two codes, amplifies it. The weights are kept as they are at the start.
MEASURED = """
import os, torch
from mmengine.hooks import Hook
from mmldm.registry import HOOKS

double = bool(os.environ.get('DOUBLE'))
if double:
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double

@HOOKS.register_module()
class KeepStart(Hook):
    def before_train(self, runner):
        if double:
            runner.bare_model.double()
        if runner.rank == 0:
            path = os.path.join(runner.work_dir, 'start.pth')
            torch.save(runner.bare_model.state_dict(), path)
"""


def differences(work_dirs, iteration):
    """|w_n - w_1| / |w_1 - w_0| of each part of the model."""
    start = torch.load(work_dirs[0] / 'start.pth')
    one, other = (
        end_of(work_dir, iteration)['state_dict'] for work_dir in work_dirs
    )
    parts = {}
    for name, weight in start.items():
        if not weight.is_floating_point():
            continue
        part = name.split('.')[0]
        for state in ('quantizer', 'running'):  # of another scale
            part += f'.{state}' if state in name else ''
        sums = parts.setdefault(part, [0, 0])
        for i, (a, b) in enumerate(
            ((other[name], one[name]), (one[name], weight))
        ):
            sums[i] += (a.double() - b.double()).square().sum()
    return {
        part: (error / update).sqrt().item()
        for part, (error, update) in parts.items()
        if update > 0
    }


def assert_same_terms(work_dirs, iteration):
    """Every logged term, such as the adaptive weight, of every iteration."""
    one, other = (
        end_of(work_dir, iteration)['message_hub']['log_scalars']
        for work_dir in work_dirs
    )
    terms = {n for n in one if n.startswith('train/') and 'time' not in n}
    for name in terms:
        torch.testing.assert_close(
            other[name][0],
            one[name][0],
            rtol=1e-3,
            atol=1e-5,
            msg=lambda text, name=name: f'{name}: {text}',
        )
    return terms


ADVERSARIAL_TERMS = {
    'train/loss_adversarial',
    'train/loss_discriminator',
    'train/adaptive_weight',
    'train/perplexity',
}


@pytest.mark.slow
@pytest.mark.parametrize(
    'kind, double, bound, terms',
    [
        ('config', '', 1e-5, {'train/loss'}),
        ('adversarial_config', '1', 1e-8, ADVERSARIAL_TERMS),
    ],
)
def test_three_processes_move_the_weights_as_one_does(
    request, tmp_path, monkeypatch, kind, double, bound, terms
):
    """20 iterations of 6 samples; docs/en/several_gpus.md has measurements.

    The discriminator's statistics, the adaptive weight, the codes revived
    and the transform of latents are those of the global batch.
    """
    (tmp_path / 'measured.py').write_text(MEASURED)
    path = Path(request.getfixturevalue(kind))
    path.write_text(
        path.read_text()
        + "\ncustom_imports = dict(imports=['measured'])"
        + "\ncustom_hooks = [dict(type='KeepStart', priority='VERY_LOW')]"
    )
    monkeypatch.setitem(ENVIRON, 'PYTHONPATH', str(tmp_path))
    monkeypatch.setitem(ENVIRON, 'DOUBLE', double)
    work_dirs = [tmp_path / str(n) for n in (1, 3)]
    for work_dir in work_dirs:
        status, log = launch(
            'dist_train.sh',
            path,
            work_dir.name,
            '--work-dir',
            work_dir,
            '--cfg-options',
            'train_cfg.max_iters=20',
            'train_cfg.val_interval=1000',
            'default_hooks.checkpoint.interval=20',
            'train_dataloader.global_batch_size=6',
        )
        assert status == 0, log
    found = differences(work_dirs, 20)
    assert len(found) >= 2
    assert max(found.values()) < bound, found
    assert terms <= assert_same_terms(work_dirs, 20)


@pytest.mark.slow
def test_three_processes_judge_ten_images(run_tool, config, tmp_path):
    """Nobody waits for a fourth image, nor for a batch of the training's 4.

    The values are those of one process, whose images are the same.
    """
    run_tool('train', config, '--work-dir', tmp_path / 'work')
    arguments = (config, tmp_path / 'work', '--work-dir', tmp_path / 'test')
    run_tool('test', *arguments, '--out', tmp_path / '1.json', *JUDGE)
    status, log = launch(
        'dist_test.sh',
        *arguments[:2],
        3,
        *arguments[2:],
        '--out',
        tmp_path / '3.json',
        *JUDGE,
    )
    assert status == 0, log
    one, three = (
        json.loads((tmp_path / f'{n}.json').read_text()) for n in (1, 3)
    )
    assert three == pytest.approx(one, rel=1e-2)
    assert three['efficientnet_lite0/num_images'] == 10


@pytest.mark.slow
def test_two_machines_hold_parts_of_a_model(run_tool, config, tmp_path, port):
    """Two groups of one process each: the losses are those of one process."""
    path = Path(config)  # four iterations end before the schedule's warm-up
    path.write_text(path.read_text() + '\nparam_scheduler = None\n')
    run_tool('train', config, '--work-dir', tmp_path / 'one')
    work_dir = tmp_path / 'two'
    machines = [
        subprocess.Popen(
            ['bash', ROOT / 'tools' / 'dist_train.sh', config, '1']
            + ['--work-dir', work_dir, '--cfg-options']
            + ['model_wrapper_cfg.type=ShardedModel'],
            env={
                **ENVIRON,
                **dict(NNODES='2', NODE_RANK=str(rank), PORT=str(port)),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        logs = [machine.communicate(timeout=600)[0] for machine in machines]
        assert [machine.returncode for machine in machines] == [0, 0], logs
    finally:
        for machine in machines:
            machine.kill()
    assert 'weights are sharded over 2 processes' in logs[0]
    one, two = end_of(tmp_path / 'one'), end_of(work_dir)
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    shapes = {n: w.shape for n, w in one['state_dict'].items()}
    assert {n: w.shape for n, w in two['state_dict'].items()} == shapes
