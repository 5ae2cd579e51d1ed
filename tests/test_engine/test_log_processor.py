import json
from pathlib import Path

import pytest

from mmldm.engine.log_processor import peak_memory


def test_the_log_has_throughput_and_memory(build_runner):
    """Four images an iteration, over the time of the same line."""
    runner = build_runner(
        train_cfg__max_iters=2,
        log_processor=dict(type='ThroughputLogProcessor', by_epoch=False),
        default_hooks__timer=dict(type='IterTimerHook'),
    )
    runner.train()
    (path,) = Path(runner.work_dir).glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 2
    for line in lines:
        assert line['images_per_s'] == pytest.approx(4 / line['time'])
        assert 50 < line['memory'] <= peak_memory()
