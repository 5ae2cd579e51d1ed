"""Which training loop ``train_cfg`` asks for."""

from typing import Any

from mmengine.runner import BaseLoop

from mmldm.registry import LOOPS
from mmldm.utils.checks import suggest

from .loops import AddressedEpochTrainLoop, AddressedTrainLoop

# By train_cfg.by_epoch: the loop, and what it takes.
BY_EPOCH = {
    True: (AddressedEpochTrainLoop, {'max_epochs', 'val_interval'}),
    False: (AddressedTrainLoop, {'max_iters', 'val_interval'}),
}


def addressed_loop(loop: BaseLoop | dict[str, Any]) -> BaseLoop | dict:
    """The config of a loop of ours, for one of mmengine's habits.

    ``dict(by_epoch=True, max_epochs=N)`` and ``dict(by_epoch=False,
    max_iters=N)`` are taken, as mmengine takes them.

    Raises:
        ValueError: For a loop that cannot resume exactly, or a key that it
            does not take.
    """
    if not isinstance(loop, dict):
        return loop
    if 'type' in loop:
        _check_type(loop)
        return loop
    loop = dict(loop)
    by_epoch = loop.pop('by_epoch', 'max_epochs' in loop)
    cls, keys = BY_EPOCH[bool(by_epoch)]
    for key in loop:
        if key not in keys:
            raise ValueError(
                f'train_cfg.{key} with by_epoch={by_epoch} is not known'
                f'{suggest(key, keys)}'
            )
    (length,) = keys - {'val_interval'}
    if length not in loop:
        raise ValueError(
            f'train_cfg.{length} is missing, where by_epoch={by_epoch}: say '
            'how long to train'
        )
    return dict(loop, type=cls)


def _check_type(loop: dict[str, Any]) -> None:
    kind = loop['type']
    if 'by_epoch' in loop:
        raise ValueError(
            f'train_cfg has type={kind!r} and by_epoch={loop["by_epoch"]}: '
            'give one of them; train_cfg=dict(_delete_=True, by_epoch=True, '
            'max_epochs=N) drops the type of a base config'
        )
    cls = LOOPS.get(kind) if isinstance(kind, str) else kind
    if cls is None or issubclass(cls, AddressedTrainLoop):
        return
    epochs = 'max_epochs' in loop
    remedy = BY_EPOCH[epochs][0].__name__
    raise ValueError(
        f'train_cfg.type={kind!r} cannot resume exactly: set it to '
        f'{remedy!r}, with {"max_epochs" if epochs else "max_iters"} and '
        'val_interval, or derive from that'
    )
