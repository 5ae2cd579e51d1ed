"""Comparison of a config's arguments with the signature of their class."""

import inspect
import math
import re
from collections.abc import Collection, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from mmengine.config import ConfigDict
from torch import Tensor

from mmldm.utils.checks import check_range, suggest
from mmldm.utils.signatures import arguments_of

# Keys of any typed dict, and keys that mmengine removes before it builds.
GIVEN = {'type', '_scope_'}
TAKEN_OUT = {
    r'optim_wrapper(\.(?!optimizer$).+)?': {
        'constructor',
        'paramwise_cfg',
        'modules',
    },
    r'param_scheduler(\.\w+)*': {'convert_to_iter_based'},
    r'(default|custom)_hooks\.\w+': {'priority'},
}
# Arguments without a default that the builder of the object fills in. An
# editor lists the arguments that it fills in itself.
FILLED_IN = {
    'runner',
    'dataloader',
    'evaluator',
    'dataset',
    'params',
    'optimizer',
    'dim',
}
# Arguments of networks and processes that are counts.
COUNTS = {
    'channels',
    'context_dim',
    'embed_dim',
    'head_channels',
    'image_size',
    'in_channels',
    'latent_channels',
    'max_length',
    'max_objects',
    'num_classes',
    'num_codes',
    'num_heads',
    'num_layers',
    'num_res_blocks',
    'num_steps',
    'num_timesteps',
    'out_channels',
    'patch_size',
    'vector_dim',
    'vocab_size',
}
# Annotations that values are checked against.
SIMPLE_TYPES = {
    int: (int,),
    float: (int, float),
    str: (str,),
    bool: (bool,),
    NoneType: (NoneType,),
    Tensor: (Tensor,),
    dict: (Mapping,),
    ConfigDict: (Mapping,),
    list: (list, tuple),
    tuple: (list, tuple),
}
NAMES = {Mapping: 'dict'}
LARGEST = 2**63 - 1
# No count in a network is larger, and a network of this size can be tried.
MOST = 10**6


def check_typed(path: str, node: Mapping[str, Any], cls: type) -> None:
    """Raise if a dict with a type does not fit its class.

    Args:
        path: Dotted path of the dict, for messages.
        node: The dict, with its ``type``.
        cls: The class that ``type`` names.

    Raises:
        ValueError: If the class lacks a key, or a value has another type;
            names the key.
    """
    parameters, takes_any = arguments_of(cls)
    owner = f'{path} ({cls.__name__})'
    if not takes_any:
        taken_out = [
            keys
            for place, keys in TAKEN_OUT.items()
            if re.fullmatch(place, path)
        ]
        check_keys(owner, node, GIVEN.union(parameters, *taken_out))
    for key, value in node.items():
        if key in parameters:
            _check_value(f'{path}.{key}', value, parameters[key])
        if key in COUNTS and isinstance(value, int):
            check_range(f'{path}.{key}', value, 1, MOST)


def check_required(
    path: str,
    node: Mapping[str, Any],
    cls: type,
    filled_in: Collection[str] = (),
) -> None:
    """Raise if a dict lacks an argument that has no default.

    Classes of other packages are not checked: their builders may fill it in.

    Args:
        path: The dict's key, for messages.
        node: The dict, with its ``type``.
        cls: The class that ``type`` names.
        filled_in: Arguments that the model fills in.

    Raises:
        ValueError: Naming the argument.
    """
    if not cls.__module__.startswith('mmldm.'):
        return
    for key, parameter in arguments_of(cls)[0].items():
        required = parameter.default is inspect.Parameter.empty
        if required and key not in {*node, *FILLED_IN, *filled_in}:
            raise ValueError(
                f'{path} ({cls.__name__}): the argument {key!r} is missing: '
                f'set {path}.{key}'
            )


def check_keys(owner: str, node: Mapping, valid: set[str]) -> None:
    """Raise if a dict has a key that is not among the valid ones."""
    for key in node:
        if key not in valid:
            raise ValueError(
                f'{owner} has no argument {key!r}'
                f'{suggest(str(key), valid - GIVEN)}'
            )


def _check_value(path: str, value: Any, parameter: inspect.Parameter) -> None:
    """Raise if a value does not have the type of its annotation."""
    annotation = parameter.annotation
    wanted = _wanted(annotation)
    if wanted and not _is_one_of(value, wanted):
        names = ' or '.join(NAMES.get(cls, cls.__name__) for cls in wanted)
        raise ValueError(f'{path}={value!r:.200} must be {names}')
    item = _item_type(annotation)
    if item and isinstance(value, list | tuple):
        for i, element in enumerate(value):
            if not _is_one_of(element, item):
                names = ' or '.join(NAMES.get(c, c.__name__) for c in item)
                raise ValueError(
                    f'{path}={value!r:.200} must hold only {names}, but '
                    f'item {i} is {element!r:.80}'
                )
    infinite = parameter.default in (math.inf, -math.inf)
    check_numbers(path, value, infinite)


def check_numbers(path: str, value: Any, infinite: bool = False) -> None:
    """Raise if a number is NaN, infinite or larger than 64 bits.

    Args:
        path: Dotted path of the value, for messages.
        value: A number, or nested lists of numbers; other values pass.
        infinite: Whether infinity is allowed.
    """
    if isinstance(value, list | tuple):
        for i, item in enumerate(value):
            check_numbers(f'{path}.{i}', item, infinite)
    elif isinstance(value, float):
        if math.isnan(value) or (math.isinf(value) and not infinite):
            raise ValueError(f'{path}={value!r} must be a finite number')
    elif isinstance(value, int) and abs(value) > LARGEST:
        raise ValueError(
            f'{path} is a whole number of {value.bit_length()} bits, expected '
            'at most 63'
        )


def _is_one_of(value: Any, wanted: tuple[type, ...]) -> bool:
    """``isinstance``, but a bool does not count as a number."""
    if isinstance(value, bool):
        return bool in wanted
    return isinstance(value, wanted)


def _wanted(annotation: Any) -> tuple[type, ...] | None:
    """Types that an annotation admits; None if it is not a simple one."""
    origin = get_origin(annotation)
    if origin in (Sequence, list, tuple):
        return list, tuple
    if origin in (Union, UnionType):
        members = [_wanted(arg) for arg in get_args(annotation)]
        if None in members:
            return None
        return tuple(dict.fromkeys(sum(members, ())))
    try:
        return SIMPLE_TYPES.get(annotation)
    except TypeError:  # an annotation that has no hash
        return None


def _item_type(annotation: Any) -> tuple[type, ...] | None:
    """Types of a list's items; None if the annotation is not simple."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        lists = [arg for arg in arguments if get_origin(arg) is not None]
        return _item_type(lists[0]) if len(lists) == 1 else None
    if origin in (Sequence, list) and len(arguments) == 1:
        return _wanted(arguments[0])
    if origin is tuple and len({*arguments} - {...}) == 1:
        return _wanted(arguments[0])
    return None
