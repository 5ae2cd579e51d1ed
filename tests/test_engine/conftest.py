"""A runner that trains a tiny model on digits in a second."""

import copy
import datetime
import os
import shutil
import signal
import time
import traceback
import uuid
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from mmldm.registry import MODELS, RUNNERS
from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint
from mmldm.utils.distributed import leave_process_group

PACK = [dict(type='PackInputs')]
DIGITS = dict(type='DigitsDataset', split='train', size=8, pipeline=PACK)


class Losses(Hook):
    """Keeps the loss of every iteration."""

    def __init__(self):
        self.losses = {}

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        self.losses[runner.iter] = outputs['loss'].item()


@pytest.fixture(scope='session')
def made_once(tmp_path_factory):
    """A folder for what many tests read."""
    return tmp_path_factory.mktemp('made_once')


@pytest.fixture
def first_stage(tiny_autoencoder, made_once):
    """A file with the weights of an untrained first stage; not to change."""
    path = made_once / 'first_stage.pth'
    if not path.exists():
        config = dict(type='FirstStage', autoencoder=tiny_autoencoder)
        state_dict = MODELS.build(config).state_dict()
        write_checkpoint(dict(state_dict=state_dict), path)
    return str(path)


@pytest.fixture
def training_config(ldm_config, first_stage, tmp_path):
    """A config that trains the tiny model for six iterations."""
    return Config(
        dict(
            model=ldm_config(
                denoiser=dict(res_block=dict(dropout=0.1)),
                autoencoder_checkpoint=first_stage,
            ),
            work_dir=str(tmp_path / 'work'),
            experiment_name=None,
            default_scope='mmldm',
            runner_type='LDMRunner',
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                sampler=dict(type='AddressedSampler'),
                dataset=DIGITS,
            ),
            train_cfg=dict(type='AddressedTrainLoop', max_iters=6),
            optim_wrapper=dict(
                type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)
            ),
            param_scheduler=[
                dict(type='CosineAnnealingLR', by_epoch=False, end=6)
            ],
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=1),
                checkpoint=dict(type='AtomicCheckpointHook', interval=2),
                seed=dict(type='AddressedSeedHook'),
                latent_scale=dict(type='LatentScaleHook', num_samples=8),
                ema=dict(type='ModuleEMAHook'),
            ),
            visualizer=dict(
                type='mmengine.Visualizer',
                vis_backends=[dict(type='LocalVisBackend')],
            ),
            log_processor=dict(by_epoch=False),
            log_level='ERROR',
            randomness=dict(seed=3),
        )
    )


@pytest.fixture
def adversarial_training(tiny_autoencoder):
    """Overrides that train a first stage with all that it may have."""
    optimizer = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3))
    autoencoder = {
        **tiny_autoencoder,
        'type': 'AutoencoderVQ',
        'quantizer': dict(num_codes=16, ema_decay=0.9, revive_after=1),
    }
    model = dict(
        type='FirstStage',
        autoencoder=autoencoder,
        regularization_weight=1.0,
        adversarial=dict(
            type='AdversarialLoss',
            discriminator=dict(
                type='PatchDiscriminator', channels=4, num_layers=1
            ),
            weight=0.5,
            start=2,
            ramp=3,
        ),
        equivariance=dict(type='Equivariance', min_scale=0.75),
    )
    return dict(
        model=dict(_delete_=True, **model),
        optim_wrapper=dict(
            _delete_=True,
            constructor='mmagic.MultiOptimWrapperConstructor',
            autoencoder=optimizer,
            adversarial=copy.deepcopy(optimizer),
        ),
        default_hooks__latent_scale=None,
    )


@pytest.fixture
def build_runner(training_config):
    """Builds the runner of the tiny config with dotted overrides."""

    def build(**options):
        cfg = copy.deepcopy(training_config)
        # A copy: merging takes _delete_ out.
        options = copy.deepcopy(options)
        cfg.merge_from_dict(
            {k.replace('__', '.'): v for k, v in options.items()}
        )
        cfg.experiment_name = uuid.uuid4().hex  # mmengine keeps them by name
        runner = RUNNERS.build(cfg)
        runner.record = Losses()
        runner.register_hook(runner.record)
        return runner

    return build


@pytest.fixture
def first(build_runner, made_once, tmp_path):
    """What a training left that ended after two iterations; a copy."""
    whole, work_dir = made_once / 'two_iterations', tmp_path / 'work'
    if not whole.exists():
        build_runner(train_cfg__max_iters=2, work_dir=str(whole)).train()
    shutil.copytree(whole, work_dir)
    stored = read_checkpoint(work_dir)
    config = stored['meta']['cfg'].replace(str(whole), str(work_dir))
    stored['meta']['cfg'] = config
    write_checkpoint(stored, work_dir / 'iter_2.pth')
    return SimpleNamespace(work_dir=str(work_dir))


@pytest.fixture
def resume(build_runner, first, caplog):
    """Resumes it under a changed config; the runner, and what it said."""

    def resume(**options):
        options = {'train_cfg__max_iters': 2, **options}
        path = os.path.join(first.work_dir, 'iter_2.pth')
        runner = build_runner(load_from=path, resume=True, **options)
        runner.logger.addHandler(caplog.handler)
        caplog.clear()
        runner.train()
        said = [r.getMessage() for r in caplog.records]
        return runner, [t for t in said if t.startswith('--resume')]

    return resume


@pytest.fixture
def in_two(tmp_path):
    """Runs a function in two gloo processes; their results.

    They are forks of the test's own process, which has imported torch.
    """

    def in_two(work):
        start = tmp_path / f'meet_{time.monotonic_ns()}'
        ranks = [_forked(work, rank, start) for rank in range(2)]
        assert [os.waitpid(pid, 0)[1] for pid in ranks] == [0, 0]
        return [torch.load(f'{start}_{rank}.pth') for rank in range(2)]

    return in_two


def _forked(work, rank, start):
    pid = os.fork()
    if pid:
        return pid
    status = 1
    signal.alarm(300)  # a fork of a busy process may hang
    try:
        torch.distributed.init_process_group(
            'gloo',
            f'file://{start}',
            rank=rank,
            world_size=2,
            timeout=datetime.timedelta(seconds=100),
        )
        torch.save(work(), f'{start}_{rank}.pth')
        leave_process_group()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


@pytest.fixture
def end_of(tmp_path):
    """The checkpoint in a folder after all six iterations."""
    return lambda name: read_checkpoint(tmp_path / name / 'iter_6.pth')
