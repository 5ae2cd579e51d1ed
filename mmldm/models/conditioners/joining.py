"""One condition from several embedders."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmldm.structures import Condition
from mmldm.structures.condition import SLOTS

from .embedder import Embedder
from .maps import size

TOKENS_JOINS = ('sequence', 'channels')


def as_condition(embedder: Embedder, content: Tensor | Condition) -> Condition:
    """An embedder's result as a ``Condition`` with the slots in its ``dims``.

    Raises:
        ValueError: If slots or channels of the result differ from ``dims``.
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
            f'{name}.dims={found}'
        )
    return content


def token_dim(embedders: Sequence[Embedder]) -> int | None:
    """Channels of the joined tokens of embedders; None without tokens.

    Raises:
        ValueError: If the tokens cannot be joined.
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
                f'dimensions {", ".join(dims)}: give all the same, or set '
                "tokens_join='channels' for those of one position"
            )
    return total


def join(
    embedders: Sequence[Embedder], conditions: Sequence[Condition]
) -> Condition:
    """Join the conditions of several embedders.

    Vectors and spatial conditions are joined along the channels, tokens as
    each embedder's ``tokens_join`` says.

    Args:
        embedders: Embedders in the order of the config.
        conditions: Condition of each embedder.

    Raises:
        ValueError: If sizes or numbers of tokens differ where they must agree.
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
    """The token mask of a condition with others appended."""
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
    """The token mask of a condition with others at the same positions.

    A position counts if one of its tokens counts.

    Raises:
        ValueError: If the numbers of tokens differ.
    """
    before, own = tokens.shape[1], cond.tokens.shape[1]
    if before != own:
        raise ValueError(
            f"{type(embedder).__name__}.tokens_join='channels', but it makes "
            f'{own} tokens where the embedders before it make {before}: give '
            'all the same number of tokens'
        )
    if mask is None or cond.tokens_mask is None:
        return None
    return mask | cond.tokens_mask


def _check_sizes(
    embedders: Sequence[Embedder], conditions: Sequence[Condition]
) -> None:
    """Raise unless all spatial conditions have the same size."""
    found = [
        (type(e).__name__, c.spatial)
        for e, c in zip(embedders, conditions, strict=True)
        if c.spatial is not None
    ]
    if len({x.shape[2:] for _, x in found}) > 1:
        sizes = [f'{name} {size(x)}' for name, x in found]
        raise ValueError(
            'spatial conditions are joined with one latent, but have the '
            f'sizes {", ".join(sizes)}: give all the size of the latent'
        )
