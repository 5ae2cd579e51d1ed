"""Counts the waits of trainings and of sampling, by iteration and step.

Usage: python count_waits.py CONFIGS.json OUT.json

CONFIGS.json has configs of runners by name. OUT.json gets for each ``train``,
a list of places by iteration, and, if the config has ``sampled_labels``,
``sample``, a list by step of the solver.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pretended_cuda.install import install  # noqa: E402
from pretended_cuda.tensor import WAITS  # noqa: E402

install()

import torch  # noqa: E402
from mmengine.config import Config  # noqa: E402

from mmldm.engine.loops import AddressedTrainLoop  # noqa: E402
from mmldm.registry import RUNNERS  # noqa: E402
from mmldm.structures import LDMDataSample  # noqa: E402
from mmldm.utils import register_all_modules  # noqa: E402


def train(runner) -> list[list[str]]:
    """Waits by iteration; fetching the next batch belongs to the one before.

    What follows the last iteration, such as a checkpoint, does not count.
    """
    step = AddressedTrainLoop._train_iter

    def counted(loop, batch) -> None:
        WAITS.phase = 'train', loop.iter
        step(loop, batch)
        if loop.iter == loop.max_iters:
            WAITS.phase = None

    AddressedTrainLoop._train_iter = counted
    runner.train()
    WAITS.phase = None
    AddressedTrainLoop._train_iter = step
    return _by_index('train', runner.max_iters)


def sample(model, labels) -> list[list[str]]:
    """Waits between the calls of the denoising function of a sampling."""
    samples = []
    for i, label in enumerate(labels):
        new = LDMDataSample(metainfo=dict(img_shape=(8, 8), address=(0, i)))
        samples.append(new if label is None else new.set_gt_label(label))
    calls = 0

    def wrap(denoise):
        def counted(z_t, level):
            nonlocal calls
            WAITS.phase = 'sample', calls
            calls += 1
            return denoise(z_t, level)

        return counted

    z = model.eval().sample(samples, wrap=wrap)
    WAITS.phase = None
    assert z.isfinite().all()
    return _by_index('sample', calls)


def _by_index(name: str, count: int) -> list[list[str]]:
    return [WAITS.places.pop((name, i), []) for i in range(count)]


def main() -> None:
    configs, out = map(Path, sys.argv[1:])
    torch.set_num_threads(1)
    register_all_modules()
    found = {}
    for name, config in json.loads(configs.read_text()).items():
        cfg = Config(config)
        labels = cfg.pop('sampled_labels', None)
        runner = RUNNERS.build(cfg)
        found[name] = dict(train=train(runner))
        if labels is not None:
            found[name]['sample'] = sample(runner.bare_model, labels)
    out.write_text(json.dumps(found))


if __name__ == '__main__':
    main()
