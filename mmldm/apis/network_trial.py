"""Trial construction of networks without memory."""

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
    """Raise if a network would not accept the weights.

    The trial uses no memory. Otherwise, a config with a network far larger
    than its weights would first fill the memory.

    Args:
        config: Config of an editor.
        weights: The editor's weights, name to tensor.
        source: File of both, for messages.

    Raises:
        ValueError: If shapes differ, or the network is larger than the
            machine's memory.
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
    """A config with its derived arguments, or without the denoiser.

    A denoiser that cannot be completed without memory is not tried.
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
    """A network on the meta device; None if it needs a real device."""
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
