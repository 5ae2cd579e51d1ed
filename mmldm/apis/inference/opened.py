"""The model of an inferencer."""

from collections.abc import Sequence
from pathlib import Path

import torch

from mmldm.models.editors import LatentDiffusion

from ..adapters import AdapterSource, load_adapters
from ..models import init_model


def opened(
    model: str | Path | LatentDiffusion,
    checkpoint: str | Path | None,
    device: str | torch.device | None,
    adapters: Sequence[AdapterSource],
) -> LatentDiffusion:
    """The model of a source, or the given one; see the inferencer.

    Raises:
        FileNotFoundError, ValueError: If the model or an adapter cannot be
            read, or is no latent diffusion model.
    """
    if not isinstance(model, torch.nn.Module):
        model = init_model(model, checkpoint, device)
        load_adapters(model, adapters)
    elif adapters:
        raise ValueError(
            'adapters are loaded with a model from a file: call '
            'load_adapters(model, adapters) for a model in memory'
        )
    if not isinstance(model, LatentDiffusion):
        raise ValueError(
            f'model is a {type(model).__name__}, expected a '
            'LatentDiffusion: give another model'
        )
    return model
