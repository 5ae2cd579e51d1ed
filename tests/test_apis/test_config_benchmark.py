"""Speed of a config, by a clock of the test's own."""

from functools import partial
from types import SimpleNamespace

from mmengine.config import Config

from mmldm.apis import config_benchmark
from mmldm.apis.config_benchmark import Speed, measure_speed, runner_for_speed
from mmldm.engine.runner import LDMRunner


def test_the_median_gives_images_per_second():
    speed = Speed('training', 8, [0.5, 0.5, 10.0], 1)
    assert speed.images_per_s == 16


def test_warm_up_is_not_measured(monkeypatch):
    clock = iter([0, 5, 6, 10, 12])  # the first step has no end
    timer = SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr(config_benchmark, 'time', timer)
    steps = []
    task = {'training': lambda *_: (lambda: steps.append(1), 4)}
    monkeypatch.setattr(config_benchmark, '_STEPS', task)
    speed = measure_speed(None, 'training', 'train', warmup=1, count=2)
    assert (speed.batch_size, speed.seconds) == (4, [1, 2])
    assert len(steps) == 3


def test_networks_are_compiled_if_the_config_says_so(monkeypatch):
    asked = []

    def build(cfg):
        model = SimpleNamespace(compile_parts=lambda **o: asked.append(o))
        runner = SimpleNamespace(cfg=cfg, bare_model=model)
        runner._maybe_compile = partial(LDMRunner._maybe_compile, runner)
        return runner

    monkeypatch.setattr(config_benchmark, 'build_runner', build)
    runner_for_speed(Config(dict(model={}, compile=dict(dynamic=True))))
    assert asked == [dict(dynamic=True)]
    runner_for_speed(Config(dict(model={})))
    assert len(asked) == 1
