"""Frozen parts that need no memory while nothing uses them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .frozen_part import FrozenPart
from .memory import return_freed_memory

# The attribute of a released part: its empty tensors, their types, its hash.
RELEASED = '_released'


def release_part(owner: FrozenPart) -> int:
    """Free the weights of a frozen part until it is used again.

    The first call of one of the owner's ``entrances`` reads them from the
    part's file. State dicts are the same in between, as they hold the hash.

    Args:
        owner: The module with the part.

    Returns:
        Bytes that are free now; 0 if state dicts include the part, if it is
        free already, or if processes share its weights by FSDP.
    """
    part = getattr(owner, owner.part)
    sharded = any(hasattr(w, 'full_tensor') for w in part.parameters())
    if owner.part_hash is None or hasattr(part, RELEASED) or sharded:
        return 0
    start = f'{owner.part}.'
    digest = owner.hash_part(owner.frozen_weights())
    names = {name.removeprefix(start) for name in owner.frozen_weights()}
    own = {**dict(part.named_parameters()), **dict(part.named_buffers())}
    tensors = {name: own[name] for name in names if name in own}
    freed = sum(tensor.nbytes for tensor in tensors.values())
    for tensor in tensors.values():
        tensor.data = torch.empty(0, dtype=tensor.dtype, device=tensor.device)

    def restore() -> None:
        restore_part(owner)

    dtypes = {name: tensor.dtype for name, tensor in tensors.items()}
    part.__dict__[RELEASED] = tensors, dtypes, digest
    for name in owner.entrances:
        if hasattr(type(part), name):
            part.__dict__[name] = _restoring(part, name, restore)
    return_freed_memory()
    return freed


def restore_part(owner: FrozenPart) -> None:
    """Read the weights of a released part again; others stay as they are.

    Raises:
        ValueError: If its file has other weights by now. The part stays
            released, so that nothing uses them.
    """
    part = getattr(owner, owner.part)
    if not hasattr(part, RELEASED):
        return
    tensors, dtypes, digest = part.__dict__[RELEASED]
    weights = owner.read_part()
    wanted = {name: tensor.data for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        tensor.data = weights[name].to(dtypes[name])  # that of the hash
    if not torch.equal(owner.hash_part(owner.frozen_weights()), digest):
        for name, tensor in tensors.items():
            tensor.data = wanted[name]
        raise ValueError(
            f'{type(owner).__name__}.{owner.files[0]}='
            f'{getattr(owner, owner.files[0])!r} has other weights than at '
            'the start of this training: put the file back, and resume'
        )
    for name, tensor in tensors.items():
        tensor.data = tensor.data.to(wanted[name])
    del part.__dict__[RELEASED]
    for name in owner.entrances:
        part.__dict__.pop(name, None)


def _restoring(
    part: Any, name: str, restore: Callable[[], None]
) -> Callable[..., Tensor]:
    """A method of a part that reads its weights before it runs."""

    def restored(*args: Any, **kwargs: Any) -> Tensor:
        restore()
        return getattr(part, name)(*args, **kwargs)

    return restored
