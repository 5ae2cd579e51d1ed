"""What a run shows on the screen, and what its log file alone has."""

from pathlib import Path

import pytest

from mmldm.engine.screen import log_file

# What somebody who waits for a training has no use for.
NOISE = (
    'System environment:',
    'PyTorch compiling details',
    'Config:',
    'Hooks will be executed',
    'SyncBatchNorm',
    'FileClient',
    'HardDiskBackend',
    'Exp name',
)
REQUESTS = dict(
    batch_size=3,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='GenerationRequests',
        num_samples=4,
        size=(8, 8),
        num_classes=2,
        pipeline=[dict(type='PackInputs')],
    ),
)


@pytest.fixture
def run(build_runner, capsys):
    """Runs a training; the runner, the screen and the log file."""

    def run(**options):
        options = {
            'log_level': 'INFO',
            'default_hooks__summary': dict(type='RunSummaryHook'),
            **options,
        }
        runner = build_runner(**options)
        runner.train()
        written = Path(log_file(runner.logger)).read_text()
        return runner, capsys.readouterr().out, written

    return run


def summary(screen):
    """Lines of the summary by their first words."""
    lines = screen.partition('Training LatentDiffusion')[2].splitlines()[1:]
    told = [line.split(maxsplit=1) for line in lines if line[:4] == '    ']
    return dict(told)


def test_a_training_begins_with_a_screenful_that_matters(run):
    runner, screen, _ = run()
    assert len(screen.partition('Iter(train)')[0].splitlines()) <= 24
    told = summary(screen)
    parameters = sum(p.numel() for p in runner.model.denoiser.parameters())
    assert told['denoiser'] == (
        f'DenoisingUNet, {parameters / 1e6:.3g} M parameters'
    )
    assert told['autoencoder'].endswith('parameters, not trained')
    assert told['data'] == 'DigitsDataset, 1,438 samples, 4 a batch'
    assert told['iterations'] == '6'
    assert told['device'].startswith('cpu') and 'float32' in told['device']
    assert told['writes'].startswith(runner.work_dir)
    assert told['log'] == log_file(runner.logger)
    assert '--resume' in told['resume']


def test_the_log_file_has_what_the_screen_has_not(run):
    _, screen, written = run()
    for noise in NOISE:
        assert noise not in screen, noise
    for noise in ('System environment:', 'Config:', 'Hooks will be executed'):
        assert noise in written
    for both in ('Training LatentDiffusion', 'Iter(train)', 'Latent scale'):
        assert both in screen and both in written


def test_precision_and_where_a_training_goes_on_are_said(run):
    run(train_cfg__max_iters=2)
    _, screen, _ = run(
        resume=True,
        optim_wrapper=dict(type='AutocastOptimWrapper', dtype='bfloat16'),
    )
    told = summary(screen)
    assert told['iterations'] == '6, from 2 on'
    assert told['device'].endswith(', bfloat16')


def test_the_time_of_a_training_is_said_once(run):
    _, screen, _ = run(train_cfg__max_iters=45)
    lines = [line for line in screen.splitlines() if 'more iterations' in line]
    assert len(lines) == 1
    assert '24 more iterations of ' in lines[0]


def test_a_test_says_what_is_tested(run, build_runner, capsys):
    runner, _, _ = run(train_cfg__max_iters=2)
    tester = build_runner(
        log_level='INFO',
        load_from=runner.work_dir,
        default_hooks__summary=dict(type='RunSummaryHook'),
        test_dataloader=REQUESTS,
        test_evaluator=[],
        test_cfg=dict(),
    )
    capsys.readouterr()
    tester.test()
    screen = capsys.readouterr().out
    assert 'Testing LatentDiffusion' in screen
    assert 'GenerationRequests, 4 samples, 3 a batch' in screen


def test_errors_and_other_warnings_are_shown(build_runner, capsys):
    runner = build_runner(log_level='INFO')
    capsys.readouterr()
    runner.logger.warning('a warning')
    runner.logger.error('Config:\nan error')
    screen = capsys.readouterr().out
    assert 'a warning' in screen and 'an error' in screen
