"""Arguments in configs of the original: none missing, none passed over."""

from collections.abc import Collection, Mapping
from typing import Any


def check_required(params: Mapping[str, Any], keys: Collection[str]) -> None:
    """Raise where the original has no default.

    Raises:
        ValueError: If a key is missing.
    """
    missing = [key for key in keys if key not in params]
    if missing:
        raise ValueError(
            f'params.{missing[0]} is missing, without which the original '
            'builds no such model: take the yaml file it was trained with'
        )


def check_rest(
    params: Mapping[str, Any],
    fixed: Mapping[str, Any],
    ignored: Collection[str],
) -> None:
    """Raise where a key that was not read would change the network.

    Args:
        params: What is left when all that is understood is taken out.
        fixed: The one value that our networks have, by key.
        ignored: Keys without influence on a trained network.

    Raises:
        ValueError: If another key or value is there.
    """
    for key, value in params.items():
        if key in fixed and value != fixed[key]:
            raise ValueError(
                f'params.{key}={value!r} is not supported: only '
                f'{fixed[key]!r} is'
            )
        if key not in fixed and key not in ignored:
            raise ValueError(
                f'params.{key}={value!r} is not known, and may change the '
                'network: leave the key out if it does not'
            )
