"""The arguments of a call, taken apart."""

from collections.abc import Mapping
from typing import Any

from mmldm.diffusion import Sampling

SAMPLING = (
    *('solver', 'grid', 'steps', 'guidance_scale', 'guidance'),
    'unconditional',
)
KNOWN = (
    *('label', 'prompt', 'layout', 'image', 'mask', 'low_res', 'map'),
    *('like', 'features'),
)


def split_sampling(
    arguments: Mapping[str, Any],
) -> tuple[Sampling, dict[str, Any]]:
    """How to sample, and the arguments that do not say it.

    Args:
        arguments: ``sampling``, or names of :data:`SAMPLING`, and others.

    Raises:
        ValueError: If a value is invalid, or ``sampling`` is given with
            another; names the argument.
    """
    rest = dict(arguments)
    sampling = rest.pop('sampling', None)
    own = {name: rest.pop(name) for name in SAMPLING if name in rest}
    if sampling is None:
        return Sampling.of(**own), rest
    if own:
        raise ValueError(
            f'sampling and {", ".join(own)} are both given: give one'
        )
    return sampling, rest


def check_known(arguments: Mapping[str, Any]) -> None:
    """Raise if a name is no argument of a call."""
    for name in arguments:
        if name not in KNOWN:
            raise ValueError(
                f'{name} is unknown. Valid names: '
                f'{", ".join((*KNOWN, "fields", "strength", *SAMPLING))}'
            )


def as_list(value: Any) -> list[Any]:
    """One value or several as a list; [None] for none."""
    return [*value] if isinstance(value, list | tuple | range) else [value]
