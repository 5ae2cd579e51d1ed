"""How one call samples, where it differs from a model's config."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from mmldm.compat import share_scopes_between_threads
from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_choice, check_range

from .diffusion_scheduler import DiffusionScheduler
from .guidance import ClassifierFreeGuidance, Guidance
from .solvers import Solver
from .solvers.coordinates import Coordinates
from .time_grids import TimeGrid
from .windows import Windows

# Precisions of autocast.
DTYPES = ('float32', 'float16', 'bfloat16')
PLAIN = (int, str, dict)

# Threads with other settings build their parts at the same time.
share_scopes_between_threads()


@dataclass(frozen=True)
class Sampling:
    """Parts of sampling that replace a model's own; None keeps its own.

    Args:
        solver: Steps from level to level.
        time_grid: Levels that sampling visits.
        num_steps: Number of steps.
        guidance: How conditions act.
        windows: Windows by which large images are generated.
        tile_size: Side of the tiles that the first stage decodes, pixels.
        unconditional: Follow the null condition, without guidance.
        dtype: Precision in which the denoiser computes, by autocast: 'float16'
            or 'bfloat16'; 'float32' for weights in float32; None is that of
            its weights. The first stage keeps its own.
        compile: Whether to compile the networks, or the arguments of
            ``torch.compile``.

    Raises:
        ValueError: If ``dtype`` or ``compile`` is none of these.
    """

    solver: Solver | None = None
    time_grid: TimeGrid | None = None
    num_steps: int | None = None
    guidance: Guidance | None = None
    windows: Windows | None = None
    tile_size: int | None = None
    unconditional: bool = False
    dtype: str | None = None
    compile: bool | Mapping[str, Any] = False

    def __post_init__(self) -> None:
        if self.dtype is not None:
            check_choice('dtype', self.dtype, DTYPES)
        if not isinstance(self.compile, bool | Mapping):
            raise ValueError(
                f'compile={self.compile!r} must be True, False or a dict of '
                "arguments of torch.compile, such as dict(mode='max-autotune')"
            )

    @classmethod
    def of(
        cls,
        solver: str | dict[str, Any] | None = None,
        grid: str | dict[str, Any] | None = None,
        steps: int | None = None,
        guidance_scale: float | None = None,
        **parts: Any,
    ) -> 'Sampling':
        """Sampling by names and numbers.

        Args:
            solver: Name, such as 'DDIM', or config of a solver.
            grid: Name or config of a time grid.
            steps: Number of steps.
            guidance_scale: Scale of classifier-free guidance; 1 is off.
            parts: The other arguments of the class: ``guidance``,
                ``windows``, ``tile_size``, ``unconditional``, ``dtype``,
                ``compile``.

        Raises:
            ValueError: If a name or a number is invalid; names the argument.
        """
        if guidance_scale is not None:
            if parts.get('guidance') is not None:
                raise ValueError(
                    'guidance_scale and guidance are both given: give one'
                )
            parts['guidance'] = ClassifierFreeGuidance(guidance_scale)
        return cls(
            solver=_part('solver', solver, Solver),
            time_grid=_part('grid', grid, TimeGrid),
            num_steps=steps,
            **parts,
        )

    def applied(self, scheduler: DiffusionScheduler) -> DiffusionScheduler:
        """A copy of a scheduler that samples this way.

        Raises:
            ValueError: If the number of steps is out of range, or a grid does
                not suit the noise schedule.
        """
        scheduler = copy.copy(scheduler)
        if self.num_steps is not None:
            most = scheduler.noise_schedule.num_timesteps
            check_range('steps', self.num_steps, 1, most)
        for name in ('solver', 'time_grid', 'num_steps'):
            value = getattr(self, name)
            if value is not None:
                setattr(scheduler, name, value)
        scheduler.levels()  # a grid that does not suit is refused now
        return scheduler

    @property
    def settings(self) -> dict[str, Any]:
        """The parts that are replaced, as plain values."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: value if isinstance(value, PLAIN) else _described(value)
            for name, value in values.items()
            if value is not None and value is not False
        }


def _described(part: Any) -> dict[str, Any]:
    """The class of a part, and its arguments that are numbers or text."""
    arguments = {
        name: value.name if isinstance(value, Coordinates) else value
        for name, value in vars(part).items()
        if isinstance(value, int | float | str | list | tuple)
    }
    return dict(type=type(part).__name__, **arguments)


def _part(
    argument: str, given: str | dict[str, Any] | None, kind: type
) -> Any:
    """The part of a name or a config.

    Raises:
        ValueError: If there is no such part, or it is of another kind.
    """
    if given is None:
        return None
    config = dict(type=given) if isinstance(given, str) else given
    # The registry would import and call whatever has dots in its name.
    known = DIFFUSION_SCHEDULERS.module_dict
    for name in _types(config):
        check_choice(argument, name.removeprefix('mmldm.'), known)
    try:
        part = DIFFUSION_SCHEDULERS.build(config)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f'{argument}={given!r} is unknown or incomplete ({error}): give '
            "the name of a class, such as 'DDIM' or 'KarrasGrid', or its "
            'config'
        ) from error
    if not isinstance(part, kind):
        raise ValueError(
            f'{argument}={given!r} is a {type(part).__name__}, expected a '
            f'{kind.__name__}'
        )
    return part


def _types(node: Any) -> Iterator[str]:
    """The names of all types in a config."""
    if isinstance(node, Mapping):
        if isinstance(node.get('type'), str):
            yield node['type']
        node = [*node.values()]
    if isinstance(node, list | tuple):
        for value in node:
            yield from _types(value)
