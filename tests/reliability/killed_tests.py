"""Tests that are killed at random, and must give the same images and numbers.

    python tests/reliability/killed_tests.py --runs 20

A test of generated images by one, two or three processes, with batches of 7 or
50, is sent SIGKILL when half of the images are there, or at a random moment.
Then it is started again, by another number of processes and with another batch
size. Every image, the .npz file and metrics.json must have the bytes of a test
that nobody disturbed.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from children import ROOT, Child, Outcome, prepare, tool
from report import Report
from trainings import ranks, write_first_stage

NUM_IMAGES = 120
# Seconds that a test may take; some take ten.
LIMIT = 300
CONFIG = """
_base_ = '{root}/configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
model = dict(
    autoencoder_checkpoint='{folder}/first_stage.pth',
    denoiser=dict(channels=64, num_res_blocks=1, attn_factors=()),
    diffusion_scheduler=dict(num_steps=8))
test_dataloader = dict(dataset=dict(num_samples={count}))
real = dict(
    type='DigitsDataset', split='train', size=32, indices=60,
    pipeline=[dict(type='PackInputs')])
test_evaluator = [
    dict(type='ClassifierAccuracy', train_dataset=real, test_dataset=real),
    dict(
        type='GeneratedImages', reference=real,
        measures=['fd', 'kid', 'is', 'precision_recall', 'density_coverage'],
        features=dict(type='EfficientNetLiteFeatures', side=32))]
"""


class Way(NamedTuple):
    """How a test is run.

    Attributes:
        processes: Number of processes.
        batch_size: Images that are evaluated at a time.
    """

    processes: int
    batch_size: int


WAYS = [Way(p, b) for p in (1, 2, 3) for b in (7, 50)]


class Tested:
    """A model, and what its undisturbed test gives.

    Args:
        folder: Folder of all files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0
        self.config = write_config(folder)
        self.checkpoint = folder / 'model.pth'
        write_model(self.config, self.checkpoint)
        self.whole = folder / 'whole'
        (outcome,) = self.finish(self.whole, Way(1, 50))
        assert outcome.end == 'done', outcome.log
        self.seconds = outcome.seconds

    def start(self, out: Path, way: Way) -> list[Child]:
        """Begin or go on with a test; one child for each process."""
        self.number += 1
        arguments = (
            *(self.config, self.checkpoint, '--work-dir', out / 'work'),
            *('--show-dir', out / 'show', '--npz', out / 'all.npz'),
            *('--out', out / 'metrics.json'),
        )
        options = (
            '--cfg-options',
            f'test_dataloader.batch_size={way.batch_size}',
        )
        log = self.folder / f'{self.number}.log'
        if way.processes == 1:
            work = tool('test', *arguments, *options)
            return [Child(work, log, self.folder)]
        work = tool('test', *arguments, '--launcher', 'pytorch', *options)
        return [
            Child(work, log, self.folder, environment)
            for environment in ranks(way.processes)
        ]

    def finish(self, out: Path, way: Way) -> list[Outcome]:
        """Run a test to its end."""
        return [child.finish(LIMIT) for child in self.start(out, way)]

    def kill(self, out: Path, way: Way, moment: float | None) -> int:
        """Kill a test at a part of its time; the number of images then.

        Args:
            out: Folder of the test's files.
            way: How it is run.
            moment: Part of the time; None waits for half of the images.
        """
        children = self.start(out, way)
        images = out / 'show' / 'images'
        begin = time.monotonic()
        while children[0].poll() is None:
            if moment is None:
                due = num_images(images) >= NUM_IMAGES / 2
            else:
                due = time.monotonic() - begin > moment * self.seconds
            if due:
                break
            time.sleep(0.005)
        for child in children:
            child.kill()
        return num_images(images)

    def differing(self, out: Path) -> list[str]:
        """Names of files that are not those of the undisturbed test."""
        names = {
            str(path.relative_to(folder))
            for folder in (self.whole, out)
            for path in folder.rglob('*')
            if path.suffix in ('.png', '.npz') or path.name == 'metrics.json'
        }
        return sorted(
            n for n in names if content(self.whole / n) != content(out / n)
        )


def num_images(folder: Path) -> int:
    """Number of whole images in a folder."""
    return len(list(folder.glob('*.png')))


def content(path: Path) -> bytes | None:
    """The bytes of a file; None if it is missing."""
    return path.read_bytes() if path.is_file() else None


def write_config(folder: Path) -> Path:
    """The config file, and the first stage that it names."""
    write_first_stage(folder / 'first_stage.pth')
    path = folder / 'config.py'
    path.write_text(CONFIG.format(root=ROOT, folder=folder, count=NUM_IMAGES))
    return path


def write_model(config: Path, path: Path) -> None:
    """Random weights of the config's model, none of them zero."""
    import torch
    from mmengine.config import Config

    from mmldm.apis.first_stages import take_first_stage
    from mmldm.registry import MODELS
    from mmldm.utils.checkpoint import write_checkpoint

    cfg = Config.fromfile(config)
    take_first_stage(cfg.model)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for weight in model.denoiser.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    write_checkpoint(dict(state_dict=model.state_dict()), path)


def attempt(
    tested: Tested, out: Path, ways: Sequence[Way], moment: float | None
) -> Counter:
    """Kill a test, finish it, and compare."""
    images = tested.kill(out, ways[0], moment)
    for outcome in tested.finish(out, ways[1]):
        if outcome.end != 'done':
            print(f'{ways}: {outcome.end}\n{outcome.log[-5000:]}', flush=True)
            return Counter({outcome.end: 1})
    differing = tested.differing(out)
    if differing:
        print(f'{ways}: {len(differing)} files differ: {differing[:5]}')
        return Counter(different=1)
    return Counter(
        {'same': 1, 'half done': int(0 < images < NUM_IMAGES), 'kills': 1}
    )


COLUMNS = ('kills', 'half done', 'same', 'different', 'hung', 'traceback')
COLUMNS += ('refused', 'killed')


def main() -> None:
    """Kill."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--runs', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    prepare('mmldm.models.feature_networks', 'efficientnet_lite_pytorch')
    rng = random.Random(args.seed)
    report = Report(COLUMNS, good=('kills', 'half done', 'same'))
    with tempfile.TemporaryDirectory(prefix='killed_tests_') as folder:
        tested = Tested(Path(folder))
        for run in range(args.runs):
            ways = [WAYS[run % len(WAYS)], rng.choice(WAYS)]
            moment = None if run // len(WAYS) % 2 == 0 else rng.random()
            counts = attempt(tested, Path(folder, f'run_{run}'), ways, moment)
            report.add('{} proc., batch {}'.format(*ways[0]), counts)
    print(report)
    total = report.total
    if total['half done'] * 3 < args.runs:
        sys.exit('fewer than one kill in three left a part of the images')
    sys.exit(not report.is_good or total['same'] < args.runs)


if __name__ == '__main__':
    main()
