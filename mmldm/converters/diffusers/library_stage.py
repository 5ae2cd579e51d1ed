"""A first stage that is a network of diffusers, written as it is."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..key_mapping import part_of
from .latent_scale import scale_keys

LIBRARY = 'DiffusersAutoencoder'


def library_stage(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and weights of the network for a folder of diffusers.

    Args:
        weights: Weights of a ``DiffusersAutoencoder``, by name.
        config: Its config, see ``DiffusersAutoencoder.own_config``.

    Raises:
        ValueError: If latents are shifted, or channels have their own
            factors, which pipelines ignore.
    """
    theirs = {**config['config'], 'shift_factor': None}
    theirs |= dict(latents_mean=None, latents_std=None)
    known = {k: v for k, v in theirs.items() if k in config['config']}
    scale = scale_keys(weights, f'{theirs["_class_name"]} in a {LIBRARY}')
    return known | scale, part_of(weights, 'network.')
