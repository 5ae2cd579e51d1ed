"""Curves in TensorBoard and in other programs, which are played here."""

import importlib.util
import logging
import sys
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.visualization import LocalVisBackend, Visualizer
from torch import tensor

from mmldm.engine.hooks.run_summary_hook import _curves
from mmldm.registry import VISBACKENDS
from mmldm.visualization.curves import (
    AimVisBackend,
    ClearMLVisBackend,
    CurveBackend,
    MLflowVisBackend,
    TensorboardVisBackend,
    WandbVisBackend,
)

SERVICES = [
    AimVisBackend,
    ClearMLVisBackend,
    MLflowVisBackend,
    WandbVisBackend,
]
TRAIN = dict(loss=0.5, lr=tensor(0.1), iter=20, note='no number')
VAL = {'loss': 0.25, 'recon/psnr': np.float64(30), 'time': 1.0}
PICTURE = np.zeros((4, 4, 3), np.uint8)


def started(cls, tmp_path, **kwargs):
    backend = cls(save_dir=str(tmp_path / 'start/vis_data'), **kwargs)
    work_dir = tmp_path / 'run one'
    backend.add_config(Config(dict(work_dir=str(work_dir), model=dict(a=1))))
    return backend


@pytest.fixture
def packages(monkeypatch):
    """The programs' packages, of which every call is recorded."""
    found = {}
    for cls in SERVICES:
        module = MagicMock(spec=ModuleType(cls.package))
        module.mock_add_spec(None)
        module.__spec__ = importlib.util.spec_from_loader(cls.package, None)
        monkeypatch.setitem(sys.modules, cls.package, module)
        found[cls] = module
    monkeypatch.delenv('MLFLOW_TRACKING_URI', raising=False)
    return found


@pytest.mark.parametrize('cls', [*SERVICES, TensorboardVisBackend])
def test_a_config_names_them_as_in_mmengine(cls):
    assert VISBACKENDS.get(cls.__name__) is cls


def tensorboard_events(folder):
    loader = pytest.importorskip(
        'tensorboard.backend.event_processing.event_accumulator'
    )
    events = loader.EventAccumulator(str(folder))
    events.Reload()
    return events


def test_tensorboard_has_values_at_their_iterations(tmp_path):
    backend = started(TensorboardVisBackend, tmp_path)
    backend.add_scalars(TRAIN, step=20)
    backend.add_scalars(VAL, step=30)
    backend.add_image('images', PICTURE, step=30)
    backend.close()
    events = tensorboard_events(tmp_path / 'run one/tensorboard')
    found = {
        tag: [(e.step, round(e.value, 6)) for e in events.Scalars(tag)]
        for tag in events.Tags()['scalars']
    }
    assert found == {
        'train/loss': [(20, 0.5)],
        'train/lr': [(20, 0.1)],
        'val/loss': [(30, 0.25)],
        'val/recon/psnr': [(30, 30.0)],
        'val/time': [(30, 1.0)],
    }
    assert [e.step for e in events.Images('images')] == [30]
    assert str(tmp_path / 'run one') in backend.how_to_open


def test_a_resumed_training_replaces_what_it_repeats(tmp_path):
    for steps, loss in (((20, 40, 60), 1.0), ((40, 60), 2.0)):
        backend = started(TensorboardVisBackend, tmp_path)
        for step in steps:
            backend.add_scalars(dict(TRAIN, loss=loss), step=step)
        backend.close()
    events = tensorboard_events(tmp_path / 'run one/tensorboard')
    found = [(e.step, e.value) for e in events.Scalars('train/loss')]
    assert found == [(20, 1.0), (40, 2.0), (60, 2.0)]


def test_without_tensorboard_the_log_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    backend = started(TensorboardVisBackend, tmp_path)
    backend.add_scalars(TRAIN, step=20)
    backend.close()
    assert not (tmp_path / 'run one').exists()
    assert 'pip install tensorboard' in backend.how_to_open


def test_the_summary_of_a_run_says_how_to_open_the_curves(tmp_path):
    backend = started(TensorboardVisBackend, tmp_path)
    visualizer = Visualizer(vis_backends=[LocalVisBackend(str(tmp_path))])
    visualizer._vis_backends['tensorboard'] = backend
    told = _curves(SimpleNamespace(visualizer=visualizer))
    assert told == backend.how_to_open


@pytest.mark.parametrize('cls', SERVICES)
def test_a_missing_package_is_named(cls, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match=cls.package) as error:
        started(cls, tmp_path)
    assert error.value.name == cls.package


@pytest.mark.parametrize('cls', SERVICES)
def test_a_test_starts_no_run(cls, tmp_path, packages):
    started(cls, tmp_path).close()
    assert not packages[cls].mock_calls


def sent(backend):
    backend.add_scalars(TRAIN, step=20)
    backend.add_scalars(VAL, step=30)
    backend.add_image('images', PICTURE, step=30)
    assert not backend.failed
    backend.close()


def test_wandb_logs_by_iteration(tmp_path, packages):
    sent(started(WandbVisBackend, tmp_path, init_kwargs=dict(project='mine')))
    wandb = packages[WandbVisBackend]
    ((_, options),) = wandb.init.call_args_list
    assert options['project'] == 'mine'
    assert options['dir'] == str(tmp_path / 'run one')
    assert options['config']['model'] == dict(a=1)
    run = wandb.init.return_value
    run.define_metric.assert_any_call('*', step_metric='iteration')
    assert [call.args[0] for call in run.log.call_args_list] == [
        {'train/loss': 0.5, 'train/lr': pytest.approx(0.1), 'iteration': 20},
        {f'val/{k}': v for k, v in VAL.items()} | {'iteration': 30},
        {'images': wandb.Image.return_value, 'iteration': 30},
    ]
    run.finish.assert_called_once_with()


def test_mlflow_has_a_data_base_in_the_work_directory(tmp_path, packages):
    mlflow = packages[MLflowVisBackend]
    mlflow.get_experiment_by_name.return_value = None
    backend = started(
        MLflowVisBackend, tmp_path, init_kwargs=dict(run_name='mine')
    )
    sent(backend)
    folder = tmp_path / 'run one'
    mlflow.set_tracking_uri.assert_called_once_with(
        f'sqlite:///{folder}/mlflow.db'
    )
    ((_, options),) = mlflow.create_experiment.call_args_list
    assert options['artifact_location'] == (folder / 'mlflow').as_uri()
    mlflow.start_run.assert_called_once_with(run_name='mine')
    assert mlflow.log_metrics.call_args_list[0].args[1] == 20
    assert mlflow.log_image.call_args.args[1] == 'images_30.png'
    mlflow.end_run.assert_called_once_with()
    assert f'{folder}/mlflow.db' in backend.how_to_open


def test_mlflow_uses_a_server_that_is_named(tmp_path, packages, monkeypatch):
    monkeypatch.setenv('MLFLOW_TRACKING_URI', 'http://host')
    sent(started(MLflowVisBackend, tmp_path))
    mlflow = packages[MLflowVisBackend]
    mlflow.set_tracking_uri.assert_called_once_with('http://host')


def test_clearml_does_not_upload_checkpoints(tmp_path, packages):
    sent(
        started(
            ClearMLVisBackend, tmp_path, init_kwargs=dict(task_name='mine')
        )
    )
    init = packages[ClearMLVisBackend].Task.init
    ((_, options),) = init.call_args_list
    assert options['auto_connect_frameworks'] is False
    assert options['task_name'] == 'mine'
    task = init.return_value
    first = task.get_logger.return_value.report_scalar.call_args_list[0]
    assert first.kwargs == dict(
        title='loss', series='train', value=0.5, iteration=20
    )
    task.close.assert_called_once_with()


def test_aim_writes_to_the_work_directory(tmp_path, packages):
    sent(started(AimVisBackend, tmp_path, init_kwargs=dict(experiment='e')))
    aim = packages[AimVisBackend]
    ((_, options),) = aim.Run.call_args_list
    assert options['repo'] == str(tmp_path / 'run one')
    assert options['experiment'] == 'e'
    calls = aim.Run.return_value.track.call_args_list
    assert (calls[0].args, calls[0].kwargs) == (
        (0.5,),
        dict(name='train/loss', step=20),
    )


def test_a_failing_program_does_not_end_a_training(tmp_path, packages, caplog):
    backend = started(WandbVisBackend, tmp_path)
    run = packages[WandbVisBackend].init.return_value
    run.log.side_effect = [None, OSError('no network')]
    logging.getLogger('mmengine').propagate = True
    for step in (10, 20, 30):
        backend.add_scalars(TRAIN, step=step)
    backend.close()
    assert backend.failed
    assert run.log.call_count == 2
    assert isinstance(backend, CurveBackend)
