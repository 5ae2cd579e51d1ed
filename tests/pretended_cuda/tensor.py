"""Tensors that say they are on cuda:0, and the rules of that device."""

import traceback
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
CUDA = torch.device('cuda', 0)
ROOT = Path(__file__).parents[2]
INDEXING = {
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten._unsafe_index.Tensor,
}
# The size of the result, or the result itself, is needed on the CPU.
NEEDS_VALUES = {
    'item',
    '_local_scalar_dense',
    'is_nonzero',
    'equal',
    'nonzero',
    'masked_select',
    '_unique2',
    'unique_dim',
    'unique_consecutive',
    'bincount',
    'histc',
    'repeat_interleave',
    'linalg_eigh',
    '_linalg_eigh',
    '_linalg_svd',
}


@dataclass
class Waits:
    """Places where the CPU would wait for the GPU, by phase."""

    phase: object = None
    places: dict = field(default_factory=dict)

    def add(self, kind: str) -> None:
        """Record a wait at the innermost line of this project."""
        frames = [
            f'{Path(f.filename).relative_to(ROOT)}:{f.lineno}'
            for f in traceback.extract_stack()
            if f.filename.startswith(f'{ROOT}/')
            and 'pretended_cuda' not in f.filename
        ]
        place = f'{kind} at {frames[-1] if frames else "no line of ours"}'
        self.places.setdefault(self.phase, []).append(place)


WAITS = Waits()


class OnCuda(torch.Tensor):
    """A tensor on cuda:0 whose ``values`` are on the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, values):
        own = torch.Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            layout=values.layout,
            device=CUDA,
        )
        own.values = values.detach()
        return own

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})

    def tolist(self):
        WAITS.add('tolist')
        return self.values.tolist()

    def numpy(self, **kwargs):
        raise TypeError('a cuda tensor has no NumPy array: use .cpu()')

    __array__ = numpy

    def __reduce_ex__(self, protocol):
        raise RuntimeError('a cuda tensor goes into a file or a process')


class Everywhere(TorchDispatchMode):
    """Also rules operations whose arguments are all on the CPU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})


def run(func, args, kwargs):
    """One operation, by the rules of the device."""
    if func is aten._to_copy.default:
        return _to(*args, **kwargs)
    if func is aten.copy_.default:
        return _copy(*args, **kwargs)
    leaves = tree_leaves((args, kwargs))
    wrapped = [x for x in leaves if isinstance(x, OnCuda)]
    device = kwargs.get('device')
    target = wrapped if device is None else is_cuda(device)
    kwargs = {k: v for k, v in kwargs.items() if k != 'pin_memory'}
    if not wrapped and not target:
        return func(*args, **kwargs)
    if wrapped:
        _check(func, args, wrapped, leaves)
    if device is not None:
        kwargs['device'] = torch.device('cpu')
    found = func(*tree_map(_values, args), **tree_map(_values, kwargs))
    if not target:
        return found
    # An operation in place returns its own argument.
    own = {id(x.values): x for x in wrapped}
    return tree_map(lambda x: _wrapped(x, own), found)


def _wrapped(x, own):
    """A result on the device: one of the arguments, or a new tensor."""
    if not isinstance(x, torch.Tensor):
        return x
    return own[id(x)] if id(x) in own else OnCuda(x)


def is_cuda(device) -> bool:
    """Whether something names this device."""
    return device is not None and torch.device(device).type == 'cuda'


def _values(x):
    return x.values if isinstance(x, OnCuda) else x


def _check(func, args, wrapped, leaves) -> None:
    """Record a wait, or raise if devices are mixed."""
    name = func._schema.name.removeprefix('aten::')
    if name in NEEDS_VALUES:
        WAITS.add(name)
    places = [x for x in args[1] if x is not None] if func in INDEXING else []
    if any(x.dtype in (torch.bool, torch.uint8) for x in places):
        WAITS.add('index by a mask')
    on_cpu = [
        x
        for x in leaves
        if isinstance(x, torch.Tensor) and not isinstance(x, OnCuda)
    ]
    if any(x is y for x in on_cpu for y in places):
        WAITS.add('index of the CPU')
    elif any(x.ndim for x in on_cpu) and not name.startswith('_f'):
        raise RuntimeError(f'{name} mixes tensors of cuda:0 and of the CPU')


def _to(x, *, device=None, non_blocking=False, pin_memory=None, **kwargs):
    """``x.to``; a copy between devices is always a new tensor."""
    from_cuda = isinstance(x, OnCuda)
    to_cuda = from_cuda if device is None else is_cuda(device)
    values = aten._to_copy.default(_values(x), **kwargs)
    if from_cuda != to_cuda and not non_blocking:
        WAITS.add(f'copy to {"cuda" if to_cuda else "the CPU"}')
    return OnCuda(values) if to_cuda else values


def _copy(to, x, non_blocking=False):
    """``to.copy_(x)``."""
    if isinstance(to, OnCuda) != isinstance(x, OnCuda) and not non_blocking:
        WAITS.add('copy_ between devices')
    _values(to).copy_(_values(x))
    return to
