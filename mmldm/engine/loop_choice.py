"""The loops that ``train_cfg`` and ``test_cfg`` select."""

from typing import Any

from mmengine.runner import BaseLoop
from torch import nn

from mmldm.models.editors import LatentDiffusion
from mmldm.registry import LOOPS
from mmldm.utils.checks import suggest

from .epoch_loop import AddressedEpochTrainLoop
from .generation_loop import GenerationLoop
from .loops import AddressedTrainLoop

# train_cfg.by_epoch -> loop and its keys.
BY_EPOCH = {
    True: (AddressedEpochTrainLoop, {'max_epochs', 'val_interval'}),
    False: (AddressedTrainLoop, {'max_iters', 'val_interval'}),
}


def addressed_loop(loop: BaseLoop | dict[str, Any]) -> BaseLoop | dict:
    """The config of an addressed loop, from one in mmengine's form.

    As in mmengine, ``dict(by_epoch=True, max_epochs=N)`` and
    ``dict(by_epoch=False, max_iters=N)`` are valid.

    Raises:
        ValueError: If the loop cannot resume exactly, or a key is unknown.
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
                f'train_cfg.{key} is unknown with by_epoch={by_epoch}'
                f'{suggest(key, keys)}'
            )
    (length,) = keys - {'val_interval'}
    if length not in loop:
        raise ValueError(
            f'train_cfg.{length} is missing with by_epoch={by_epoch}: set it '
            "to the training's length"
        )
    return dict(loop, type=cls)


def generation_loop(
    loop: BaseLoop | dict[str, Any], model: nn.Module
) -> BaseLoop | dict:
    """The config of a model's test loop, unless it names a type itself."""
    if not isinstance(loop, dict) or 'type' in loop:
        return loop
    if isinstance(model, LatentDiffusion):
        return dict(loop, type=GenerationLoop)
    unknown = loop.keys() - {'fp16'}
    if unknown:
        raise ValueError(
            f'test_cfg.{min(unknown)} is for models that generate images, '
            f'{type(model).__name__} is none: remove it'
        )
    return loop


def _check_type(loop: dict[str, Any]) -> None:
    kind = loop['type']
    if 'by_epoch' in loop:
        raise ValueError(
            f'train_cfg has type={kind!r} and by_epoch={loop["by_epoch"]}: '
            'set one of them; train_cfg=dict(_delete_=True, by_epoch=True, '
            'max_epochs=N) removes the type of a base config'
        )
    cls = LOOPS.get(kind) if isinstance(kind, str) else kind
    if cls is None or issubclass(cls, AddressedTrainLoop):
        return
    epochs = 'max_epochs' in loop
    remedy = BY_EPOCH[epochs][0].__name__
    raise ValueError(
        f'train_cfg.type={kind!r} cannot resume exactly: set it to '
        f'{remedy!r}, with {"max_epochs" if epochs else "max_iters"} and '
        'val_interval, or to a class derived from it'
    )
