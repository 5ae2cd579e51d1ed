"""A pickle as data: nothing that it names is imported or called.

A pickle is a program that names functions and calls them. Here every name
becomes a stand-in that does nothing; names that no checkpoint has a use for
are refused besides, for who wrote them meant harm or something that would
get lost.
"""

import pickle
import pickletools
import re
import sys
from collections import OrderedDict
from reprlib import repr as shorten
from typing import Any, BinaryIO

import torch

# How Python 2 calls them, and pickles for it; how Python 3.13 does.
RENAMED = {
    '__builtin__': 'builtins',
    'copy_reg': 'copyreg',
    'pathlib._local': 'pathlib',
}
# What checkpoints hold of the standard library: values and containers, and
# how pickle says that an object is made. Everything else there is refused.
STANDARD = {
    '_codecs': {'encode'},
    'argparse': {'Namespace'},
    'builtins': {
        *('bool', 'bytearray', 'bytes', 'complex', 'dict', 'float'),
        *('frozenset', 'int', 'list', 'object', 'range', 'set', 'slice'),
        *('str', 'tuple', 'type'),
    },
    'collections': {'Counter', 'OrderedDict', 'defaultdict', 'deque'},
    'copyreg': {'__newobj__', '__newobj_ex__', '_reconstructor'},
    'datetime': {'date', 'datetime', 'time', 'timedelta', 'timezone'},
    'decimal': {'Decimal'},
    'pathlib': {
        *('Path', 'PosixPath', 'PurePath', 'PurePosixPath'),
        *('PureWindowsPath', 'WindowsPath'),
    },
    'types': {'SimpleNamespace'},
    'typing': {'Any', 'Dict', 'List', 'Optional', 'Tuple', 'Union'},
    'uuid': {'UUID'},
}
# Elsewhere: classes, by their name, and these.
CLASS = re.compile(r'_*[A-Z]\w*(\._*[A-Z]\w*)*', re.ASCII)
VALUES = re.compile(
    r'torch\.(device|double|half|long|short|bool|(bfloat|u?int|float)\d*)'
    r'|torch\.(complex\d+|serialization\._get_layout)'
    r'|torch\._(utils|tensor)\._rebuild_\w+'
    r'|numpy\.(dtype|ndarray|bool_?|(u?int|float|complex)\d+|str_)'
    r'|numpy\._?core\.multiarray\.(scalar|_reconstruct)'
    r'|numpy\._?core\.numeric\._frombuffer'
    r'|numpy\.random\.\w+\.__(\w+_ctor|pyx_unpickle_\w+)'
)

# What gives the newest object a number, by which it is used again.
MEMOIZE = {'PUT', 'BINPUT', 'LONG_BINPUT'}


class RefusedError(ValueError):
    """The pickle names what it has no use for."""


class Inert:
    """Takes the place of a class and of its objects, and does nothing.

    Its signatures are such that pickle may call them on the class itself.
    """

    def __new__(cls, *args, **kwargs):
        return object.__new__(cls)

    def __init__(*args, **kwargs) -> None:
        pass

    def _nothing(*args, **kwargs) -> None:
        pass

    # What pickle calls to fill an object.
    __setstate__ = __setitem__ = _nothing
    append = extend = add = update = _nothing

    def __call__(self, *args, **kwargs) -> 'Inert':
        return self


class PickledDict(OrderedDict):
    """``OrderedDict`` without the attributes that torch gives it."""

    def __setstate__(*args) -> None:
        pass


class PickledStorage(Inert):
    """Where the elements of tensors lie in a checkpoint.

    Args:
        key: What the file calls it.
        dtype: Type of the elements.
        numel: Their number.
    """

    def __init__(self, key: str, dtype: torch.dtype, numel: int) -> None:
        self.key = key
        self.dtype = dtype
        self.numel = numel


class PickledTensor(Inert):
    """``torch._utils._rebuild_tensor_v2``: a view of a storage.

    Args:
        storage: A :class:`PickledStorage`.
        offset: Place of the first element.
        shape: That of the tensor.
        stride: Elements from one to the next, in every dimension.
        rest: Whether it is trained; not kept.
    """

    def __init__(
        self, storage: Any, offset: int, shape: tuple, stride: tuple, *rest
    ) -> None:
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.stride = stride


class PickledParameter(Inert):
    """``torch._utils._rebuild_parameter``: the tensor itself."""

    def __new__(cls, tensor, *rest):
        return tensor


class StorageType(Inert):
    """Base of what stands for ``torch.FloatStorage`` and its like."""

    dtype: torch.dtype


STORAGES = dict(
    BFloat16Storage=torch.bfloat16,
    BoolStorage=torch.bool,
    ByteStorage=torch.uint8,
    CharStorage=torch.int8,
    ComplexDoubleStorage=torch.complex128,
    ComplexFloatStorage=torch.complex64,
    DoubleStorage=torch.float64,
    FloatStorage=torch.float32,
    HalfStorage=torch.float16,
    IntStorage=torch.int32,
    LongStorage=torch.int64,
    ShortStorage=torch.int16,
    UntypedStorage=torch.uint8,
)
# Stand-ins that are read afterwards.
KNOWN = {
    'collections.OrderedDict': PickledDict,
    'torch._utils._rebuild_tensor': PickledTensor,
    'torch._utils._rebuild_tensor_v2': PickledTensor,
    'torch._utils._rebuild_parameter': PickledParameter,
    'torch._utils._rebuild_parameter_with_state': PickledParameter,
    **{
        f'{module}.{name}': type(name, (StorageType,), {'dtype': dtype})
        for name, dtype in STORAGES.items()
        for module in ('torch', 'torch.cuda', 'torch.storage')
    },
}


class RestrictedUnpickler(pickle.Unpickler):
    """Reads a pickle of torch's into stand-ins.

    Args:
        file: At the first byte of the pickle.
    """

    def __init__(self, file: BinaryIO) -> None:
        # Python 2 wrote byte strings, of any encoding.
        super().__init__(file, encoding='latin1')
        self._file = file
        #: By key, as they are first met.
        self.storages: dict[str, PickledStorage] = {}
        self._made: dict[str, type] = {}

    def load(self) -> Any:
        """The pickle's content.

        Raises:
            ValueError: If it is bound to fill the memory.
        """
        start = self._file.tell()
        _check_memo(self._file)
        self._file.seek(start)
        return super().load()

    def find_class(self, module: str, name: str) -> type:
        """A stand-in; pickle's own would import the module.

        Raises:
            RefusedError: If no checkpoint needs what is named.
        """
        module = RENAMED.get(module, module)
        full = f'{module}.{name}'
        if full in KNOWN:
            return KNOWN[full]
        if not _is_harmless(module, name):
            raise RefusedError(full)
        if full not in self._made:
            self._made[full] = type(name.rpartition('.')[2], (Inert,), {})
        return self._made[full]

    def persistent_load(self, pid: Any) -> Any:
        """A storage, which torch's pickles hold by reference.

        Raises:
            ValueError: If the reference is to anything else.
        """
        match pid:
            case ('storage', type() as kind, str(key), str(), int(numel), *_):
                if issubclass(kind, StorageType) and numel >= 0:
                    storage = PickledStorage(key, kind.dtype, numel)
                    self.storages.setdefault(key, storage)
                    return storage
            case ('module', whole, _, _):
                return whole  # a module and its source, of torch before 1.6
        raise ValueError(
            f'it refers to {shorten(pid):.80}, which is no storage'
        )


def _check_memo(file: BinaryIO) -> None:
    """Raise where a pickle numbers an object that it cannot have.

    Python's own reader makes room for all numbers below: twenty bytes can
    ask for as many gigabytes.
    """
    for count, (opcode, arg, _) in enumerate(pickletools.genops(file)):
        if opcode.name in MEMOIZE and arg > count:
            raise ValueError(f'it has no object number {arg}')


def _is_harmless(module: str, name: str) -> bool:
    """Whether checkpoints of trainings hold such a thing."""
    root = module.partition('.')[0]
    if root in sys.stdlib_module_names:
        return name in STANDARD.get(module, ())
    return bool(CLASS.fullmatch(name) or VALUES.fullmatch(f'{module}.{name}'))
