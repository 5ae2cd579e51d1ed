"""The files of a training's checkpoints, whole whatever processes hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process

from mmldm.utils.checkpoint import (
    load_weights,
    read_checkpoint,
    weights_of,
)
from mmldm.utils.sharding import like_weights, snapshot

from .checkpoint_content import check_finite, content
from .checkpoint_state import hub_state_for_loading, plain
from .resume import architecture_differences


def read_into(runner: Any, path: str, map_location: Any = 'cpu') -> dict:
    """Read a checkpoint safely, and load its weights strictly.

    Args:
        runner: The runner, whose model gets the weights.
        path: The file, or a directory.
        map_location: Device of the tensors that are read.

    Returns:
        The content of the file.

    Raises:
        FileNotFoundError, ValueError: See ``utils/checkpoint.py``.
    """
    checkpoint = read_checkpoint(path, map_location, runner.is_sharded)
    runner.call_hook('after_load_checkpoint', checkpoint=checkpoint)
    if runner._resume:
        # state_dict has the average; training continues with raw weights.
        raw = checkpoint.get('raw_state_dict', {})
        checkpoint.get('state_dict', {}).update(raw)
    try:
        weights = weights_of(checkpoint)
        if runner.is_sharded:
            weights = like_weights(runner.bare_model, weights)
        load_weights(runner.bare_model, weights, path)
    except ValueError as error:
        keys = architecture_differences(runner.cfg.to_dict(), checkpoint)
        raise ValueError(f'{error}{keys}') from error
    if 'message_hub' in checkpoint:
        checkpoint['message_hub'] = hub_state_for_loading(
            checkpoint['message_hub']
        )
    return checkpoint


def write_from(runner: Any, path: Path, *args: Any) -> None:
    """Write a checkpoint; see :func:`begin_writing`."""
    begin_writing(runner, path, *args)
    runner.checkpoint_writer.finish()


def begin_writing(
    runner: Any, path: Path, *args: Any, then: Callable = lambda: None
) -> None:
    """Begin to write a checkpoint of plain values, whole or not at all.

    The training may go on at once: what is written is a copy. The first
    process writes it. All processes must call this: the first one gathers the
    parts of a ``ShardedModel`` in its own memory, one tensor at a time on the
    device. The others never hold more than one whole tensor.

    Args:
        runner: The runner, in training.
        path: File of the checkpoint.
        args: Further arguments of ``content``.
        then: Is called once the file is on the disk, in another thread.

    Raises:
        OSError: If the checkpoint before could not be written.
        FloatingPointError: If weights are not finite; older checkpoints
            are kept.
    """
    writes = is_main_process()
    if not (writes or runner.is_sharded):
        return
    check_finite(runner)
    # Frees the copy of the one before.
    runner.checkpoint_writer.finish()
    checkpoint = snapshot(content(runner, *args), keep=writes)
    if writes:
        runner.checkpoint_writer.begin(plain(checkpoint), path, then)
