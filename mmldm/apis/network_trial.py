"""Networks as configs in files describe them, tried without memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmldm.models.editors import complete_model
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import check_shapes
from mmldm.utils.model_size import bounded_networks


def try_networks(
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    source: str | Path,
) -> None:
    """Raise where a network would not take the weights, whatever its size.

    A network that is larger than its weights would fill the memory first.

    Args:
        config: Of an editor.
        weights: Of all its parts, by name.
        source: Of both.

    Raises:
        ValueError: If shapes differ, or it would be larger than the machine.
    """
    config = _completed(config)
    for part in ('autoencoder', 'denoiser'):
        theirs = {
            name.removeprefix(f'{part}.'): weight
            for name, weight in weights.items()
            if name.startswith(f'{part}.')
        }
        if not theirs or not isinstance(config.get(part), Mapping):
            continue
        try:
            network = _without_memory(config[part])
        except ValueError as error:
            raise ValueError(f'{source}: model.{part}: {error}') from error
        if network is not None:
            check_shapes(network, theirs, source)


def _completed(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the arguments that follow; without the networks that lack them.

    What cannot be completed without memory is not tried.
    """
    try:
        with (
            DefaultScope.overwrite_default_scope('mmldm'),
            bounded_networks('meta'),
        ):
            return complete_model(config)
    except Exception:
        stated = config.get('denoiser')
        known = isinstance(stated, Mapping) and 'in_channels' in stated
        return config if known else {**config, 'denoiser': None}


def _without_memory(config: Mapping[str, Any]) -> nn.Module | None:
    """A network for its shapes; None of one that needs a real device."""
    try:
        with (
            DefaultScope.overwrite_default_scope('mmldm'),
            torch.device('meta'),
            bounded_networks('meta'),
        ):
            return MODELS.build(dict(config))
    except ValueError:
        raise
    except Exception:
        return None
