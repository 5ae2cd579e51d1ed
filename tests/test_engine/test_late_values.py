"""Numbers that are read later, from a device that is not the CPU."""

import math
from unittest.mock import MagicMock

import pytest
import torch
from mmengine.hooks import Hook, LoggerHook

from mmldm.engine import late_values
from mmldm.engine.late_log import LateLog
from mmldm.engine.late_values import LateValues
from mmldm.engine.prefetching import stacked_images


class Far(torch.Tensor):
    """A tensor of the CPU that says it is on a GPU."""

    @property
    def device(self):
        return torch.device('cuda')


def far(value):
    return torch.tensor(float(value)).as_subclass(Far)


@pytest.fixture
def late():
    """Late values, and what they handed on."""
    values = LateValues()
    values.got = []
    return values


def test_numbers_on_a_cpu_are_handed_on_at_once(late):
    late.add(dict(a=torch.tensor(1.0), b=torch.ones(4)), late.got.append)
    assert late.got == [dict(a=1.0, b=1.0)]


def test_only_numbers_of_a_started_copy_are_read(late):
    late.add(dict(a=far(1)), late.got.append)
    late.add(dict(b=far(2), c=far(3)), late.got.append)
    late.start()
    late.add(dict(a=far(4)), late.got.append)
    assert late.got == []
    late.read()
    assert late.got == [dict(a=1.0), dict(b=2.0, c=3.0)]
    late.read()
    assert late.got[2:] == [dict(a=4.0)]


def test_all_numbers_are_read_before_a_checkpoint(late):
    late.add(dict(a=far(1)), late.got.append)
    late.start()
    late.add(dict(a=far(2)), late.got.append)
    late.read_all()
    assert late.got == [dict(a=1.0), dict(a=2.0)]
    late.read_all()
    assert len(late.got) == 2


def test_one_copy_for_all(late, monkeypatch):
    copies = []

    class Side(late_values.SideStream):
        def download(self, x):
            copies.append(len(x))
            return super().download(x)

    monkeypatch.setattr(late_values, 'SideStream', Side)
    for i in range(5):
        late.add(dict(a=far(i), b=far(i)), late.got.append)
    late.read()
    assert copies == [10] and len(late.got) == 5


class BreakAt(Hook):
    """Keeps the numbers of a training far away; one of them is not finite."""

    priority = 'VERY_HIGH'

    def before_train(self, runner):
        step = runner.model.train_step

        def broken(batch, optim_wrapper):
            logged = step(batch, optim_wrapper)
            if runner.iter == 2:
                logged['loss'] = torch.tensor(math.nan)
            return {k: v.detach().as_subclass(Far) for k, v in logged.items()}

        runner.model.train_step = broken


@pytest.mark.parametrize('interval, checkpoints', [(1, 6), (50, 4), (3, 6)])
def test_a_late_loss_stops_before_its_checkpoint(
    build_runner, tmp_path, interval, checkpoints
):
    runner = build_runner(
        default_hooks__logger__interval=interval,
        default_hooks__checkpoint__interval=checkpoints,
    )
    runner.register_hook(BreakAt())
    with pytest.raises(FloatingPointError, match='the loss of iteration 3 '):
        runner.train()
    assert not [*tmp_path.rglob('iter_*.pth')]


def test_a_late_log_has_every_value(build_runner):
    """The history is that of a training whose values are read at once."""

    class Away(BreakAt):
        def before_train(self, runner):
            step = runner.model.train_step
            runner.model.train_step = lambda *args, **kwargs: {
                k: v.detach().as_subclass(Far)
                for k, v in step(*args, **kwargs).items()
            }

    found = []
    for hook in (Hook(), Away()):
        runner = build_runner(
            default_hooks__logger__interval=4,
            optim_wrapper__clip_grad=dict(max_norm=1.0),
        )
        runner.register_hook(hook)
        runner.train()
        hub = runner.message_hub
        found.append(
            [
                hub.get_scalar(f'train/{name}').data[0].tolist()
                for name in ('loss', 'loss_denoise', 'grad_norm')
            ]
        )
    assert found[0] == found[1]
    assert [len(values) for values in found[0]] == [6, 6, 6]


def test_images_are_stacked_if_they_have_one_size():
    small, large = (
        dict(inputs=torch.full((3, s, s), s, dtype=torch.uint8))
        for s in (4, 8)
    )
    batch = stacked_images([small, small])
    assert torch.equal(batch['inputs'][1], small['inputs'])
    assert isinstance(stacked_images([small, large])['inputs'], list)
    assert 'inputs' not in stacked_images([{}, {}])


@pytest.mark.parametrize('interval', [1, 3, 7, 50])
@pytest.mark.parametrize('ignore_last', [True, False])
def test_numbers_are_read_for_every_line_of_the_log(interval, ignore_last):
    """mmengine's hook also writes one at the end of a short epoch."""
    lines = MagicMock(return_value=(None, ''))
    hook = LoggerHook(interval, ignore_last)
    hook.json_log_path = None
    runner = MagicMock(iter=0, train_dataloader=range(7), hooks=[hook])
    runner.log_processor.get_log_after_iter = lines
    for index in range(7):
        lines.reset_mock()
        hook.after_train_iter(runner, index)
        assert LateLog(runner).is_due(index) == lines.called
