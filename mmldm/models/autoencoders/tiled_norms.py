"""Group norms of a tile by the mean and variance of the whole map."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

Box = tuple[slice, slice]  # rows, columns


class Moments(NamedTuple):
    """Mean and variance of the norm groups in a region.

    Args:
        size: Number of positions in the region.
        mean: (B, groups), float32 or better.
        var: Mean squared distance from ``mean``, (B, groups).
    """

    size: int
    mean: Tensor
    var: Tensor


class UnknownNorm(Exception):
    """Raised at the first norm with unknown moments; holds a tile's share."""

    def __init__(self, moments: Moments) -> None:
        super().__init__()
        self.moments = moments


class WholeMapNorm(TorchFunctionMode):
    """Context in which group norms use given moments.

    This mode replaces torch's function and does not change any module.

    Args:
        known: Moments for the first norms, in the order of their calls. The
            next norm raises :class:`UnknownNorm`.
        inner: Region of that norm's input whose moments are measured.
    """

    def __init__(self, known: Sequence[Moments], inner: Box) -> None:
        super().__init__()
        self.known = iter(known)
        self.inner = inner

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is not F.group_norm:
            return func(*args, **kwargs)
        x, num_groups = args
        moments = next(self.known, None)
        if moments is None:
            raise UnknownNorm(_moments(x[..., *self.inner], num_groups))
        return _normalize(moments, x, num_groups, **kwargs)


def _moments(x: Tensor, num_groups: int) -> Moments:
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    groups = x.unflatten(1, (num_groups, -1))
    var, mean = torch.var_mean(groups, dim=(2, 3, 4), correction=0)
    return Moments(x.shape[2] * x.shape[3], mean, var)


def merged(parts: Sequence[Moments]) -> Moments:
    """Moments of the union of disjoint regions; Chan et al. 1979.

    Only squared distances from a mean are added: E[x^2] - E[x]^2 would lose a
    variance that is small relative to the mean.
    """
    size = sum(part.size for part in parts)
    mean = sum(part.mean * (part.size / size) for part in parts)
    var = sum(
        (part.var + (part.mean - mean) ** 2) * (part.size / size)
        for part in parts
    )
    return Moments(size, mean, var)


def _normalize(
    moments: Moments,
    x: Tensor,
    num_groups: int,
    weight: Tensor,
    bias: Tensor,
    eps: float,
) -> Tensor:
    """Group norm of x (B, C, h, w) by the given moments, in torch's dtype."""
    mean, var = (
        m.repeat_interleave(x.shape[1] // num_groups, dim=1)
        for m in (moments.mean, moments.var)
    )
    scale = weight * (var + eps).rsqrt()
    shift = bias - mean * scale
    out = (x * scale[..., None, None]).add_(shift[..., None, None])
    own = torch.group_norm(x[..., :1, :1], num_groups, weight, bias, eps)
    return out.to(own.dtype)
