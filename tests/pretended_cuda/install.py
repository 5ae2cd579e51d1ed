"""Puts the pretended device into torch."""

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch.utils import cpp_extension

from .tensor import WAITS, Everywhere, OnCuda, is_cuda


def install() -> None:
    """Make this process believe that it has a GPU.

    Raises:
        OSError: If there is no C++ compiler.
    """
    torch.ops.load_library(_compiled())
    torch.autograd.set_multithreading_enabled(False)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    _patch_cuda()
    _patch_functions()
    Everywhere().__enter__()


def _compiled() -> str:
    """The library of guard.cpp, made once for a version of torch."""
    source = Path(__file__).with_name('guard.cpp')
    digest = hashlib.sha1(source.read_bytes()).hexdigest()[:8]
    name = f'mmldm_guard_{torch.__version__}_{digest}.so'
    library = Path(tempfile.gettempdir()) / name
    if not library.exists():
        new = library.with_suffix(f'.{os.getpid()}')
        command = [
            *('g++', '-std=c++20', '-shared', '-fPIC', str(source)),
            *(f'-I{path}' for path in cpp_extension.include_paths()),
            *(f'-L{path}' for path in cpp_extension.library_paths()),
            *('-lc10', '-ltorch_cpu', '-o', str(new)),
        ]
        subprocess.run(command, check=True)
        new.replace(library)
    return str(library)


class _Stream:
    """A stream that has nothing to do; waiting for it is recorded."""

    def __init__(self, *args) -> None:
        pass

    def wait_stream(self, other) -> None:
        pass

    def synchronize(self) -> None:
        WAITS.add('synchronize')


def _patch_cuda() -> None:
    """Replace the functions of ``torch.cuda`` that ask the driver."""

    def always(value):
        # A function of its own each time, as torch tells them apart.
        return lambda *args, **kwargs: value

    values = dict(
        is_available=True,
        is_initialized=True,
        is_bf16_supported=True,
        is_current_stream_capturing=False,
        _is_in_bad_fork=False,
        device_count=1,
        current_device=0,
        current_stream=_Stream(),
        device=contextlib.nullcontext(),
        stream=contextlib.nullcontext(),
        get_device_name='a pretended GPU',
        get_device_capability=(9, 0),
        get_device_properties=SimpleNamespace(
            name='a pretended GPU', major=9, minor=0, multi_processor_count=1
        ),
        max_memory_allocated=0,
        memory_allocated=0,
    )
    for name, value in values.items():
        setattr(torch.cuda, name, always(value))
    for name in (
        *('_lazy_init', '_lazy_call', 'init', 'set_device', 'empty_cache'),
        *('manual_seed', 'manual_seed_all', 'reset_peak_memory_stats'),
    ):
        setattr(torch.cuda, name, always(None))
    torch.cuda.Stream = _Stream
    torch.cuda.synchronize = _Stream().synchronize
    torch.cuda.graphs.is_current_stream_capturing = always(False)
    torch.cuda.amp.common.amp_definitely_not_available = always(False)
    torch.backends.cudnn.enabled = False


def _patch_functions() -> None:
    """Replace what would reach C++ code for CUDA, or skip the dispatcher."""
    torch.Tensor.pin_memory = lambda self, *args: self
    torch.Tensor.record_stream = lambda self, stream: None
    fused = F.scaled_dot_product_attention
    plain = torch.ops.aten._scaled_dot_product_attention_math

    def attention(query, key, value, *args, **kwargs):
        if isinstance(query, OnCuda):
            return plain(query, key, value, *args, **kwargs)[0]
        return fused(query, key, value, *args, **kwargs)

    F.scaled_dot_product_attention = attention
    for name in ('torch.optim.optimizer', 'torch.utils._foreach_utils'):
        known = getattr(sys.modules[name], '_foreach_supported_types', None)
        if known is not None and OnCuda not in known:
            known.append(OnCuda)
    make = torch.tensor

    def tensor(data, *args, device=None, **kwargs):
        made = make(data, *args, **kwargs)
        return made.to(device) if is_cuda(device) else made

    torch.tensor = tensor
    torch.__config__.show = lambda: 'a pretended GPU'
    # Scripts of other libraries cannot contain the functions above.
    torch.jit.script = lambda obj=None, *args, **kwargs: obj
