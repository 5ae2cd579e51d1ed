"""``torch.compile``, block by block.

The blocks hold nearly all of a network's work. Compiled one by one, they take
a fraction of the time that a whole network takes to compile, above all for
more than one size of images. What runs between them stays as it is: hooks,
checkpointing, the start of a gradient's way to other processes.
"""

import copy
import re
from collections.abc import Hashable, Mapping
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import nn

from .adaptive_transformer import AdaptiveBlock
from .attention import SelfAttention2d, SpatialTransformer
from .resnet import ResBlock

BLOCKS = (AdaptiveBlock, ResBlock, SelfAttention2d, SpatialTransformer)


def compile_blocks(network: nn.Module, **options: Any) -> None:
    """Compile the blocks of a network; names of its weights stay the same.

    A network without blocks of :data:`BLOCKS` is compiled by its method
    ``compile``, as a whole unless that says otherwise.

    Args:
        network: Changed in place.
        options: Arguments of ``torch.compile``.
    """
    # Blocks are small enough to send gradients early; torch would cut them.
    torch._dynamo.config.optimize_ddp = False
    blocks = compilable_blocks(network)
    for name, block in blocks.items():
        if not hasattr(type(block), 'compiled_from'):
            place = _place(name, block)
            block.__class__ = _compiled_class(type(block), place, options)
    if not blocks:
        network.compile(**options)


def compiled_copy(network: nn.Module, **options: Any) -> nn.Module:
    """A compiled network with the same weights; the network stays as it is.

    Args:
        network: See :func:`compile_blocks`.
        options: Arguments of ``torch.compile``.
    """
    tensors = [*network.parameters(), *network.buffers()]
    shared = copy.deepcopy(network, {id(x): x for x in tensors})
    compile_blocks(shared, **options)
    return shared


def compilable_blocks(network: nn.Module) -> dict[str, nn.Module]:
    """The blocks to compile by name; no block contains another one."""
    found: dict[str, nn.Module] = {}
    for name, module in network.named_modules():
        inside = any(name.startswith(f'{outer}.') for outer in found)
        if isinstance(module, BLOCKS) and not inside:
            found[name] = module
    return found


def _place(name: str, block: nn.Module) -> str:
    """A text that is the same for blocks which can share compiled code.

    These are blocks in one list with weights of equal shapes. Others would
    make the sizes of each other's inputs look variable.
    """
    shapes = [tuple(weight.shape) for weight in block.parameters()]
    return f'{re.sub(r"[.]?[0-9]+", "", name)} {shapes}'


# Subclasses by class, place and options.
_classes: dict[tuple, type[nn.Module]] = {}


def _compiled_class(
    cls: type[nn.Module], place: str, options: Mapping[str, Any]
) -> type[nn.Module]:
    """A subclass whose ``forward`` is compiled, for one place in a network."""
    values = (
        v if isinstance(v, Hashable) else repr(v) for v in options.values()
    )
    key = cls, place, *zip(options, values, strict=True)
    if key not in _classes:
        _classes[key] = _make_class(cls, place, options)
    return _classes[key]


def _make_class(
    cls: type[nn.Module], place: str, options: Mapping[str, Any]
) -> type[nn.Module]:
    """See :func:`_compiled_class`.

    torch keeps compiled graphs, at most eight, with the code of a function.
    Each place therefore gets a copy of the code.
    """
    forward = cls.forward
    own = FunctionType(
        _renamed(forward.__code__, place),
        forward.__globals__,
        forward.__name__,
        forward.__defaults__,
        forward.__closure__,
    )
    compiled = torch.compile(own, **options)
    return type(
        cls.__name__, (cls,), dict(forward=compiled, compiled_from=cls)
    )


def _renamed(code: CodeType, place: str) -> CodeType:
    """A copy of code; torch tells it from the original by its name."""
    return code.replace(co_name=f'{code.co_name} of {place}')
