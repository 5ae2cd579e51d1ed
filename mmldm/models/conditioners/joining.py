"""The conditions of several embedders as one."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmldm.structures import Condition
from mmldm.structures.condition import SLOTS

from .embedder import Embedder
from .maps import size

TOKENS_JOINS = ('sequence', 'channels')


def as_condition(embedder: Embedder, content: Tensor | Condition) -> Condition:
    """What an embedder returns, as a condition of the slots in its ``dims``.

    Raises:
        ValueError: If it fills other slots, or one with other channels.
    """
    name, dims = type(embedder).__name__, dict(embedder.dims)
    if isinstance(content, Tensor):
        if len(dims) > 1:
            raise ValueError(
                f'{name}.dims={dims} names several slots, but its forward '
                'returns a tensor: return a Condition'
            )
        content = Condition(**{slot: content for slot in dims})
    found = {
        slot: getattr(content, slot).shape[-1 if slot == 'tokens' else 1]
        for slot in content.filled
    }
    if found != dims:
        raise ValueError(
            f'{name}.dims={dims}, but its forward fills {found}: set '
            f'{name}.dims to that'
        )
    return content


def token_dim(embedders: Sequence[Embedder]) -> int | None:
    """Channels of the tokens that embedders make together; None for none.

    Raises:
        ValueError: If they do not make one sequence.
    """
    total = None
    for embedder in embedders:
        name, dim = type(embedder).__name__, embedder.dims['tokens']
        if embedder.tokens_join not in TOKENS_JOINS:
            raise ValueError(
                f'{name}.tokens_join={embedder.tokens_join!r} must be one of '
                f'{TOKENS_JOINS}'
            )
        if total is None or embedder.tokens_join == 'channels':
            total = dim + (total or 0)
        elif dim != total:
            dims = [
                f'{type(e).__name__} {e.dims["tokens"]}' for e in embedders
            ]
            raise ValueError(
                'tokens of several embedders are one sequence, but have the '
                f'dimensions {", ".join(dims)}: give them one dimension, or '
                "those of one position tokens_join='channels'"
            )
    return total


def join(
    embedders: Sequence[Embedder], conditions: Sequence[Condition]
) -> Condition:
    """One condition of the batch.

    Vectors and what is spatial are joined along the channels, tokens as each
    embedder's ``tokens_join`` says.

    Args:
        embedders: In the order of the config.
        conditions: What each of them made.

    Raises:
        ValueError: If sizes or numbers of tokens differ where they must not.
    """
    _check_sizes(embedders, conditions)
    slots: dict[str, Tensor] = {}
    for slot in SLOTS:
        contents = [getattr(c, slot) for c in conditions if slot in c.filled]
        if contents and slot != 'tokens':
            slots[slot] = _cat(contents)
    tokens = mask = None
    for embedder, cond in zip(embedders, conditions, strict=True):
        if cond.tokens is None:
            continue
        if tokens is None:
            tokens, mask = cond.tokens, cond.tokens_mask
        elif embedder.tokens_join == 'channels':
            mask = _beside(embedder, tokens, mask, cond)
            tokens = torch.cat([tokens, cond.tokens], dim=2)
        else:
            mask = _behind(tokens, mask, cond)
            tokens = torch.cat([tokens, cond.tokens], dim=1)
    return Condition(tokens=tokens, tokens_mask=mask, **slots)


def _cat(contents: Sequence[Tensor]) -> Tensor:
    return contents[0] if len(contents) == 1 else torch.cat([*contents], dim=1)


def _behind(
    tokens: Tensor, mask: Tensor | None, cond: Condition
) -> Tensor | None:
    """Which tokens count, where others are appended."""
    if mask is None and cond.tokens_mask is None:
        return None
    masks = [
        torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        if m is None
        else m
        for x, m in ((tokens, mask), (cond.tokens, cond.tokens_mask))
    ]
    return torch.cat(masks, dim=1)


def _beside(
    embedder: Embedder, tokens: Tensor, mask: Tensor | None, cond: Condition
) -> Tensor | None:
    """Which tokens count, where others lie at the same positions.

    A position counts if one of the tokens there does.

    Raises:
        ValueError: If there are not as many.
    """
    before, own = tokens.shape[1], cond.tokens.shape[1]
    if before != own:
        raise ValueError(
            f"{type(embedder).__name__}.tokens_join='channels', but it makes "
            f'{own} tokens where the embedders before it make {before}: give '
            'them one number of tokens'
        )
    if mask is None or cond.tokens_mask is None:
        return None
    return mask | cond.tokens_mask


def _check_sizes(
    embedders: Sequence[Embedder], conditions: Sequence[Condition]
) -> None:
    """Raise unless what is spatial can be joined."""
    found = [
        (type(e).__name__, c.spatial)
        for e, c in zip(embedders, conditions, strict=True)
        if c.spatial is not None
    ]
    if len({x.shape[2:] for _, x in found}) > 1:
        sizes = [f'{name} {size(x)}' for name, x in found]
        raise ValueError(
            'spatial conditions lie beside one latent, but are of the '
            f'sizes {", ".join(sizes)}: give them that of the latent'
        )
