"""What a call does where an argument is not given, and why."""

from typing import Any, NamedTuple

from mmldm.diffusion import ClassifierFreeGuidance, Sampling
from mmldm.models.editors import LatentDiffusion

from ..class_names import class_names
from ..trained_sizes import sizes_text
from .arguments import GUIDANCE
from .batch_size import DEFAULT, has_own_memory
from .requests import argument_of

FEW = 5  # names of classes to show


class Default(NamedTuple):
    """The default of an argument.

    Attributes:
        value: The value, or, of a condition, None.
        why: Where the value comes from, or what the argument may be.
    """

    value: Any
    why: str


class Defaults(dict[str, Default]):
    """Defaults by argument; printed with one line each."""

    def __str__(self) -> str:
        return '\n'.join(
            f'{name} = {value!r}  # {why}'
            for name, (value, why) in self.items()
        )

    __repr__ = __str__


def defaults_of(model: LatentDiffusion) -> Defaults:
    """Defaults of a call, argument by argument."""
    found = Defaults()
    for field in model.conditioner.reads:
        why = f'required{_range(model, field)}'
        found[argument_of(field)] = Default(None, why)
    found |= dict(
        num=Default(1, 'images of each kind'),
        seed=Default(0, 'of the noise'),
        size=Default(model.image_size, _why_size(model)),
    )
    scheduler = model.diffusion_scheduler
    key = 'model.diffusion_scheduler'
    parts = Sampling(solver=scheduler.solver, time_grid=scheduler.time_grid)
    found |= dict(
        steps=Default(scheduler.num_steps, f'{key}.num_steps'),
        solver=Default(parts.settings['solver'], f'{key}.solver'),
        grid=Default(parts.settings['time_grid'], f'{key}.time_grid'),
    )
    found |= _guidance(model)
    found |= _computing(model)
    return found


def _why_size(model: LatentDiffusion) -> str:
    """Where the size comes from, and which sizes the model knows."""
    why = "model.image_size, the training's"
    if not model.trained_sizes:
        return why
    return f'{why}; trained at {sizes_text(model)} (height x width)'


def _range(model: LatentDiffusion, field: str) -> str:
    """What a condition may be."""
    _, count = model.conditioner.class_counts.get(field, ('', None))
    if count is None:
        return ''
    names = class_names(model)[:FEW] if field != 'gt_sem_seg' else ()
    shown = f', or a name, such as {", ".join(names)}' if names else ''
    return f': 0 to {count - 1}{shown}'


def _guidance(model: LatentDiffusion) -> dict[str, Default]:
    """Scale, rescale and interval, or another guidance."""
    own, key = model.guidance, 'model.guidance'
    if not isinstance(own, ClassifierFreeGuidance):
        kind = Sampling(guidance=own).settings['guidance']
        return dict(guidance=Default(kind, key))
    values = own.scales[0], own.rescale, (own.low, own.high)
    return {
        name: Default(value, key)
        for name, value in zip(GUIDANCE, values, strict=True)
    }


def _computing(model: LatentDiffusion) -> dict[str, Default]:
    """Windows, precision, compilation and batch size."""
    weight = next(model.denoiser.parameters())
    dtype = str(weight.dtype).removeprefix('torch.')
    windows, factor = model.windows, model.autoencoder.factor
    window = None if windows is None else factor * windows.size
    batch = Default(DEFAULT, f'on {weight.device.type}')
    if has_own_memory(weight.device):
        batch = Default(None, "as many as fit into the GPU's free memory")
    return dict(
        window=Default(window, 'model.windows, in pixels'),
        dtype=Default(dtype, "of the denoiser's weights"),
        compile=Default(False, 'or True, or arguments of torch.compile'),
        batch_size=batch,
    )
