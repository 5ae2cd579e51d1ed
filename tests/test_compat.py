import os
import threading
import warnings
from collections import OrderedDict
from datetime import timedelta
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from mmengine.utils import manager

from mmldm import compat


@pytest.mark.skipif(np.__version__ < '2', reason='NumPy 1.26 has it')
def test_numpy_has_the_bool8_that_mmagic_reads(monkeypatch):
    monkeypatch.delattr(np, 'bool8')
    compat.prepare_numpy()
    assert np.bool8 is np.bool_


def test_the_installed_versions_are_supported():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        compat.warn_about_versions()


def test_an_untested_version_warns_with_the_remedy(monkeypatch):
    monkeypatch.setitem(compat.SUPPORTED, 'torch', ('1.0', '1.5'))
    with pytest.warns(UserWarning, match='pip install "torch>=1.0,<1.5"'):
        compat.warn_about_versions()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(compat.SUPPORTED, 'no-such-package', ('1', '2'))
    with pytest.raises(ImportError, match='needs no-such-package'):
        compat.warn_about_versions()


def test_no_process_group_without_torchrun(monkeypatch):
    monkeypatch.delenv('WORLD_SIZE', raising=False)
    compat.init_cpu_process_group()
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize('timeout', [None, 90])
def test_a_process_waits_for_others_as_long_as_asked(monkeypatch, timeout):
    init = MagicMock()
    monkeypatch.setattr(torch.distributed, 'init_process_group', init)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setenv('WORLD_SIZE', '2')
    compat.init_cpu_process_group(timeout)
    expected = timeout and timedelta(seconds=timeout)
    init.assert_called_once_with('gloo', timeout=expected)


@pytest.fixture
def schemes(monkeypatch):
    """mmengine's readers, as they were before the test, after it."""
    monkeypatch.setattr(
        CheckpointLoader, '_schemes', dict(CheckpointLoader._schemes)
    )


def test_mmengine_reads_by_the_safe_reader(tmp_path, schemes):
    class Code:
        def __reduce__(self):
            return os.system, (f'touch {tmp_path / "executed"}',)

    torch.save(dict(state_dict=Code()), tmp_path / 'code.pth')
    compat.register_checkpoint_reader()
    with pytest.raises(ValueError, match='code.pth cannot be read'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'code.pth'))
    assert not (tmp_path / 'executed').exists()


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    with pytest.raises(ValueError, match='2 processes for 1 GPUs'):
        compat.check_gpu_count()


def test_processes_without_any_gpu_pass(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    compat.check_gpu_count()


def test_a_worker_whose_torchrun_has_ended_ends(monkeypatch):
    """It would meet the next run at this port in place of its workers."""
    monkeypatch.setenv('TORCHELASTIC_RUN_ID', 'none')
    monkeypatch.setattr(compat, 'PARENT', os.getppid() + 1)
    monkeypatch.setattr(compat.ctypes, 'CDLL', MagicMock())
    with pytest.raises(SystemExit, match='has ended'):
        compat.die_with_launcher()


def can_be_taken(lock):
    """Whether another thread can take a lock."""
    taken = []

    def take():
        taken.append(lock.acquire(timeout=5))
        lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return taken == [True]


class Broken(manager.ManagerMixin):
    """As a logger that cannot open its file."""

    def __init__(self, name=''):
        raise OSError('no space left')


def test_an_instance_that_cannot_be_made_leaves_no_lock_behind():
    compat.share_scopes_between_threads()
    with pytest.raises(OSError, match='no space'):
        Broken.get_instance('a')
    assert can_be_taken(manager._lock)


class Vanishing(OrderedDict):
    """Scopes that another thread takes away after the first look."""

    def __bool__(self):
        return True


def test_scopes_that_vanish_leave_no_lock_behind(monkeypatch):
    compat.share_scopes_between_threads()
    monkeypatch.setattr(DefaultScope, '_instance_dict', Vanishing())
    assert DefaultScope.get_current_instance() is None
    assert can_be_taken(manager._lock)


def test_threads_that_overwrite_scopes_put_back_their_own():
    compat.share_scopes_between_threads()
    before = list(DefaultScope._instance_dict)
    errors = []

    def work():
        try:
            for _ in range(50):
                with DefaultScope.overwrite_default_scope('mmldm'):
                    scope = DefaultScope.get_current_instance()
                    assert scope.scope_name == 'mmldm'
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert list(DefaultScope._instance_dict) == before
