"""A model with everything that it reads from files, for an export."""

from typing import Any

from torch import Tensor, nn

from mmldm.models.adapters import merged_state
from mmldm.models.autoencoders import DiffusersAutoencoder
from mmldm.models.conditioners import TextEncoder

from ..key_mapping import under
from .text import text_encoder_from_diffusers_config


def whole_model(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All weights and the config of a model, whatever it reads from files.

    Adapters are added to the weights.

    Args:
        model: Result of :func:`mmldm.apis.init_model`.

    Returns:
        Arguments for :func:`write_diffusers`.
    """
    weights = merged_state(model)
    # Frozen parts with files of their own are not in the state dict.
    first_stage = model.autoencoder
    weights |= first_stage.state_dict(prefix='autoencoder.')
    if isinstance(first_stage, DiffusersAutoencoder):
        network = first_stage.network.state_dict(prefix='network.')
        weights |= under('autoencoder.', network)
    for i, embedder in _pretrained_text(model):
        prefix = f'conditioner.embedders.{i}.network.'
        weights |= merged_state(embedder.network, prefix)
    return weights, whole_config(model)


def whole_config(model: nn.Module) -> dict[str, Any]:
    """The config of a model without files and adapters.

    Args:
        model: Result of :func:`mmldm.apis.init_model`.
    """
    config = model.cfg.model.to_dict()
    config.pop('adapter', None)
    if isinstance(model.autoencoder, DiffusersAutoencoder):
        config['autoencoder'] = model.autoencoder.own_config()
    for i, embedder in _pretrained_text(model):
        own = config['conditioner']['embedders'][i]
        own |= text_encoder_from_diffusers_config(
            embedder.network.config.to_dict(),
            own.get('tokenizer') or own.pop('pretrained'),
        )
        own.pop('pretrained', None)
    return config


def _pretrained_text(model: nn.Module) -> list[tuple[int, nn.Module]]:
    """Text encoders that are read from a folder, with their numbers."""
    conditioner = getattr(model, 'conditioner', None)
    return [
        (i, embedder)
        for i, embedder in enumerate(getattr(conditioner, 'embedders', ()))
        if isinstance(embedder, TextEncoder) and embedder.pretrained
    ]
