"""Long runs in one process: memory and open files must not grow.

    python tests/reliability/soak.py --minutes 30 --calls 500

A training of both stages for so many minutes each, watched from outside, and
so many calls of sampling in one process. After the first tenth, resident
memory may grow by 2 % and the number of open files by none.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from children import POLL, READING, Child, descriptors, memory, prepare, tool
from growth import Growth, Look, growth
from trainings import CONFIGS, Training, write_config

# Seconds between two looks.
LOOK = 1.0
# Seconds that a validation takes at most.
VALIDATION = 60.0
# The checkpoint after the first validation.
VALIDATED = 60
FOREVER = 10**7


def watch(child: Child, seconds: float) -> list[Look]:
    """Look at a process for so long, then end it.

    Where more files are open at the end, it is looked at until a validation
    that may have them open is over: a leak stays.
    """
    looks: list[Look] = []
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end or (
        now < end + VALIDATION and not growth(looks).files_are_closed
    ):
        time.sleep(LOOK)
        if child.poll() is not None:
            sys.exit(f'it ended:\n{child.log.read_text()[-2000:]}')
        looks.append(Look(memory(child.pid), descriptors(child.pid)))
    child.kill()
    return looks


def train(stage: str, seconds: float, folder: Path) -> Growth:
    """A training with loader workers, checkpoints and validation."""
    config = write_config(Training(stage, 2, 1), folder, FOREVER)
    options = (
        *(
            '--cfg-options',
            f'train_cfg.val_interval={VALIDATED - 10}',
            'param_scheduler=None',
        ),
        *('default_hooks.checkpoint.interval=10',),
    )
    work = tool('train', config, '--work-dir', folder / 'work', *options)
    child = Child(work, folder / 'log', folder)
    # The first validation takes memory, however late it comes.
    while not any(folder.glob(f'work/iter_{VALIDATED}.pth')):
        assert child.poll() is None, child.log.read_text()
        time.sleep(POLL)
    return growth(watch(child, seconds))


def sample(calls: int, folder: Path) -> Growth:
    """Draw again and again, other conditions and sizes, by one model."""
    numbers = folder / 'numbers'

    def work() -> None:
        import os

        import sound

        from mmldm.apis import init_model
        from mmldm.structures import LDMDataSample

        sound.write_all(folder / 'sound')
        model = init_model(
            folder / 'sound' / 'class.safetensors', device='cpu'
        )
        with open(numbers, 'w') as out:
            for call in range(calls):
                size = (8, 8 + 8 * (call % 3))
                batch = [
                    LDMDataSample(
                        metainfo=dict(img_shape=size, address=(0, i))
                    ).set_gt_label(call % 10)
                    for i in range(1 + call % 4)
                ]
                model.predict(None, batch)
                pid = os.getpid()
                print(memory(pid), descriptors(pid), file=out, flush=True)

    outcome = Child(work, folder / 'log', folder).finish(36_000)
    assert outcome.end == 'done', outcome.log
    lines = numbers.read_text().splitlines()
    looks = [line.split() for line in lines]
    return growth([Look(float(m), int(f)) for m, f in looks])


def main() -> None:
    """Soak."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--calls', type=int, default=500)
    args = parser.parse_args()
    prepare(*READING)
    runs: dict[str, Callable[[Path], Growth]] = {
        f'training, {stage}': lambda folder, stage=stage: train(
            stage, 60 * args.minutes, folder
        )
        for stage in CONFIGS
    }
    runs['sampling'] = lambda folder: sample(args.calls, folder)
    small = True
    print('| | MB | at the end | growth | files | at the end |')
    print('| --- | --: | --: | --: | --: | --: |')
    for name, run in runs.items():
        with tempfile.TemporaryDirectory(prefix='soak_') as folder:
            found = run(Path(folder))
        small &= found.is_small
        first, last = found
        print(
            f'| {name} | {first.memory:.1f} | {last.memory:.1f} | '
            f'{found.memory:+.2%} | {first.files} | {last.files} |',
            flush=True,
        )
    sys.exit(not small)


if __name__ == '__main__':
    main()
