"""Short trainings on a GPU and on the CPU, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from digits import FIRST, TRAINING_ALONE, flags_of

TRAIN = Path(__file__).resolve().parents[1] / 'train.py'


def train(work_dir: Path, iterations: int, device: str, *flags: str) -> None:
    """Train the first stage of the digits.

    Args:
        work_dir: Work directory.
        iterations: Number of iterations; a checkpoint is written after half.
        device: 'cpu', or a GPU.
        flags: Further flags of ``tools/train.py``.

    Raises:
        ValueError: If the training fails; has the end of its output.
    """
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    if device == 'cpu':
        environment['CUDA_VISIBLE_DEVICES'] = ''
    options = {
        **TRAINING_ALONE,
        'default_hooks.logger.interval': 1,
        'default_hooks.checkpoint.interval': iterations // 2,
        'train_cfg.max_iters': iterations,
    }
    command = [sys.executable, str(TRAIN), FIRST, '--work-dir', str(work_dir)]
    done = subprocess.run(
        [*command, *flags, '--cfg-options', *flags_of(options)],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ValueError((done.stderr or done.stdout)[-400:])


def end_of(work_dir: Path, iterations: int) -> dict[str, Any]:
    """The last checkpoint of a training."""
    from mmldm.utils.checkpoint import read_checkpoint

    return read_checkpoint(work_dir / f'iter_{iterations}.pth')


def losses_of(work_dir: Path, iterations: int, device: str) -> list[float]:
    """The losses of a training, iteration by iteration."""
    train(work_dir, iterations, device)
    history = end_of(work_dir, iterations)['message_hub']['log_scalars']
    return history['train/loss'][0].tolist()


def differences(one: list[float], other: list[float]) -> dict[str, Any]:
    """Relative differences of two lists of losses."""
    pairs = zip(one, other, strict=True)
    relative = [abs(a - b) / abs(a) for a, b in pairs]
    return dict(
        iterations=len(relative),
        first=relative[0],
        largest=max(relative),
        last_losses=[one[-1], other[-1]],
    )


def resumed_difference(
    folder: str, iterations: int, device: str
) -> dict[str, Any]:
    """Largest differences of weights: a training, its repetition, a resumed.

    The repetition shows what the device's kernels do by themselves.
    """
    whole, twice, part = (Path(folder, name) for name in 'abc')
    train(whole, iterations, device)
    train(twice, iterations, device)
    part.mkdir()
    half = f'iter_{iterations // 2}.pth'
    shutil.copy(whole / half, part / half)
    train(part, iterations, device, '--resume')
    ends = [end_of(path, iterations) for path in (whole, twice, part)]
    first, again, resumed = (end['state_dict'] for end in ends)
    return dict(
        repeated=_largest_difference(first, again),
        resumed=_largest_difference(first, resumed),
    )


def _largest_difference(one: dict, other: dict) -> float:
    pairs = ((one[name].float(), other[name].float()) for name in one)
    return max(float((a - b).abs().max()) for a, b in pairs)
