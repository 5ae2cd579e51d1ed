"""The arguments of a call, taken apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmldm.diffusion import ClassifierFreeGuidance, Sampling, Windows
from mmldm.diffusion.guidance import Guidance
from mmldm.models.editors import LatentDiffusion
from mmldm.utils import check_count, check_divisible, check_range

GUIDANCE = ('guidance_scale', 'guidance_rescale', 'guidance_interval')
SAMPLING = (
    *('solver', 'grid', 'steps', 'guidance', *GUIDANCE, 'window'),
    *('unconditional', 'dtype', 'compile'),
)
KNOWN = (
    *('label', 'prompt', 'layout', 'image', 'mask', 'low_res', 'map'),
    *('like', 'features'),
)
# Side in pixels of the tiles that are decoded if window is given: smaller
# tiles need less memory and several times as long.
TILE_SIZE = 256


def split_sampling(
    arguments: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments that say how to sample, and all others.

    Args:
        arguments: ``sampling``, or names of :data:`SAMPLING`, and others.

    Raises:
        ValueError: If ``sampling`` is given with another; names it.
    """
    own = {
        name: value
        for name, value in arguments.items()
        if name in SAMPLING and value is not None and value is not False
    }
    rest = {k: v for k, v in arguments.items() if k not in SAMPLING}
    sampling = rest.pop('sampling', None)
    if sampling is None:
        return own, rest
    if own:
        raise ValueError(
            f'sampling and {", ".join(own)} are both given: give one'
        )
    return dict(sampling=sampling), rest


def sampling_of(model: LatentDiffusion, own: Mapping[str, Any]) -> Sampling:
    """How to sample.

    Args:
        model: The model, whose guidance has what is not given.
        own: First result of :func:`split_sampling`.

    Raises:
        ValueError: If a value is invalid; names the argument.
    """
    parts = dict(own)
    if 'sampling' in parts:
        return _checked('sampling', parts['sampling'], Sampling)
    if 'steps' in parts:
        check_count('steps', parts['steps'])
    given = {name: parts.pop(name) for name in GUIDANCE if name in parts}
    away = [*given, *(['guidance'] if 'guidance' in parts else [])]
    if away and parts.get('unconditional'):
        raise ValueError(
            f'{away[0]} has no effect with unconditional=True: omit one of '
            'them'
        )
    if given:
        if 'guidance' in parts:
            raise ValueError(
                f'{", ".join(given)} and guidance are both given: give one'
            )
        parts['guidance'] = _guidance(model, **given)
    if 'guidance' in parts:
        _checked('guidance', parts['guidance'], Guidance)
    window = parts.pop('window', None)
    if window is not None:
        parts |= _windows(model, window)
    return Sampling.of(**parts)


def _checked(name: str, value: Any, kind: type) -> Any:
    """The value, if it is of a kind.

    Raises:
        ValueError: If not.
    """
    if not isinstance(value, kind):
        raise ValueError(
            f'{name}={value!r} must be a {kind.__name__} of mmldm.diffusion'
        )
    return value


def _guidance(
    model: LatentDiffusion,
    guidance_scale: float | None = None,
    guidance_rescale: float | None = None,
    guidance_interval: tuple[float, float] | None = None,
) -> Guidance:
    """Classifier-free guidance; what is not given is the model's own.

    Raises:
        ValueError: If a value is invalid, or the model reads no condition.
    """
    if not model.conditioner.slots:
        raise ValueError(
            'guidance is not available: the model reads no condition; omit '
            'guidance_scale, guidance_rescale and guidance_interval'
        )
    own = model.guidance
    parts: dict[str, Any] = {}
    if isinstance(own, ClassifierFreeGuidance):
        parts = dict(
            scale=own.scales[0],
            rescale=own.rescale,
            interval=(own.low, own.high),
            rescale_of=own.rescale_of,
        )
    if guidance_scale is not None:
        check_range(
            'guidance_scale', guidance_scale, 0, float('inf'), '; 1 is off'
        )
        parts['scale'] = guidance_scale
    if guidance_rescale is not None:
        check_range('guidance_rescale', guidance_rescale, 0, 1, '; 0 is off')
        parts['rescale'] = guidance_rescale
    if guidance_interval is not None:
        parts['interval'] = _interval(guidance_interval)
    if 'scale' not in parts:
        raise ValueError(
            'guidance_scale is missing: guidance_rescale and '
            'guidance_interval need it, as the model has no guidance'
        )
    return ClassifierFreeGuidance(**parts)


def _interval(value: Any) -> tuple[float, float]:
    """(low, high), in which an infinite end may be None.

    Raises:
        ValueError: If it is no interval.
    """
    try:
        low, high = value
        ends = float(low or 0), float('inf' if high is None else high)
        if 0 <= ends[0] < ends[1]:
            return ends
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f'guidance_interval={value!r} must be (low, high) with 0 <= low < '
        'high, noise-to-signal ratios sigma / alpha; None for no end'
    )


def _windows(model: LatentDiffusion, window: int) -> dict[str, Any]:
    """Windows of a side in pixels, and tiles for decoding.

    Raises:
        ValueError: If the first stage's factor does not divide the side.
    """
    factor = model.autoencoder.factor
    check_count('window', window)
    check_divisible('window', window, 'the factor of the first stage', factor)
    return dict(windows=Windows(window // factor), tile_size=TILE_SIZE)


def check_known(
    arguments: Mapping[str, Any], known: Sequence[str] = KNOWN
) -> None:
    """Raise if a name is neither known nor an argument of sampling."""
    for name in arguments:
        if name not in known:
            more = ('fields', 'strength') if known else ()
            raise ValueError(
                f'{name} is unknown. Valid names: '
                f'{", ".join((*known, *more, *SAMPLING))}'
            )


def refuse_sampling(request: Mapping[str, Any]) -> None:
    """Raise if one request of several is none, or says how to sample."""
    if not isinstance(request, Mapping):
        raise ValueError(
            f'{request!r} must be a dict of arguments, such as dict(label=3)'
        )
    for name in (*SAMPLING, 'sampling'):
        if name in request:
            raise ValueError(
                f'{name} is the same for all requests: give it to stream(...)'
            )


def as_list(value: Any) -> list[Any]:
    """One value or several as a list; [None] for none."""
    return [*value] if isinstance(value, list | tuple | range) else [value]
