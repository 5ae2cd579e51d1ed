"""Arguments of a model's parts that follow from its other parts.

A config may leave them out. First stage, conditioner and denoiser are built
in this order, and each completes the configs of the parts after it. A value
that a config states is kept and checked.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.utils.signatures import arguments_of
from mmldm.utils.typing import ConfigType

from ..autoencoders import Autoencoder
from ..conditioners import Conditioner

DENOISER = ('in_channels', 'out_channels', 'context_dim', 'vector_dim')
EMBEDDER = ('latent_channels', 'num_stages')
CLASSIFIER = ('in_channels',)
#: Arguments that ``LatentDiffusion`` fills in.
FILLED_IN = {
    'denoiser': DENOISER,
    'guide': DENOISER,
    'conditioner.embedders': EMBEDDER,
    'log_variance': ('num_timesteps',),
}


def build_networks(
    denoiser: ConfigType,
    conditioner: ConfigType,
    autoencoder: Autoencoder,
    num_outputs: int,
) -> tuple[nn.Module, Conditioner]:
    """Build a denoiser and its conditioner for the latents of a first stage.

    Args:
        denoiser: Config of the denoiser.
        conditioner: Config of the conditioner.
        autoencoder: The first stage.
        num_outputs: See :func:`complete_denoiser`.
    """
    conditioner = complete_conditioner(conditioner, autoencoder)
    built: Conditioner = MODELS.build(conditioner)
    denoiser = complete_denoiser(denoiser, built, autoencoder, num_outputs)
    return MODELS.build(denoiser), built


def complete_conditioner(
    config: Mapping[str, Any], autoencoder: Autoencoder
) -> dict[str, Any]:
    """Complete the config of a conditioner for a first stage.

    Args:
        config: Its embedders may leave out the required arguments
            ``latent_channels`` and ``num_stages``. The latter is how many
            times the first stage halves the height and width of an image.
        autoencoder: The first stage.

    Raises:
        ValueError: If a spatial embedder states other ``latent_channels``.
    """
    embedders = config.get('embedders')
    if not isinstance(embedders, list | tuple):
        return dict(config)
    latent = autoencoder.latent_channels
    stages = autoencoder.factor.bit_length() - 1
    values = dict(latent_channels=latent, num_stages=stages)
    for i, embedder in enumerate(embedders):
        stated = embedder.get('latent_channels', latent)
        spatial = getattr(_class(embedder), 'slot', None) == 'spatial'
        if spatial and stated != latent:
            key = f'conditioner.embedders.{i}.latent_channels'
            raise ValueError(
                f'{key}={stated}, but the autoencoder yields {latent} latent '
                f'channels: set {key}={latent}'
            )
    filled = [_filled(e, values, only_required=True) for e in embedders]
    return {**config, 'embedders': filled}


def complete_denoiser(
    config: Mapping[str, Any],
    conditioner: Conditioner,
    autoencoder: Autoencoder,
    num_outputs: int,
) -> dict[str, Any]:
    """Complete the config of a denoiser for the other parts of a model.

    Args:
        config: May leave out the arguments in :data:`DENOISER`.
        conditioner: The conditioner of the model.
        autoencoder: The first stage.
        num_outputs: Outputs for each latent channel, as the diffusion
            scheduler reads them.
    """
    latent = autoencoder.latent_channels
    values = dict(
        in_channels=latent + (conditioner.dim('spatial') or 0),
        out_channels=latent * num_outputs,
        context_dim=conditioner.dim('tokens'),
        vector_dim=conditioner.dim('vector'),
    )
    return _filled(config, values)


def complete_classifier(
    config: Mapping[str, Any], autoencoder: Autoencoder
) -> dict[str, Any]:
    """Complete the config of a classifier for a first stage."""
    return _filled(config, dict(in_channels=autoencoder.latent_channels))


def complete_model(
    config: Mapping[str, Any], model: nn.Module | None = None
) -> dict[str, Any]:
    """The config of an editor with every derived argument stated.

    Args:
        config: Config of the editor, with its ``autoencoder``.
        model: The editor that was built from it. If None, first stage and
            conditioner are built on the meta device, without memory.
    """
    config = dict(config)
    fills_in = getattr(_class(config), 'fills_in', {})
    if not fills_in:
        return config
    autoencoder = model.autoencoder if model else _tried(config['autoencoder'])
    if 'classifier' in fills_in:
        own = complete_classifier(config['classifier'], autoencoder)
        return config | dict(classifier=own)
    own = complete_conditioner(config['conditioner'], autoencoder)
    conditioner = model.conditioner if model else _tried(own)
    scheduler = (
        model.diffusion_scheduler
        if model
        else DIFFUSION_SCHEDULERS.build(dict(config['diffusion_scheduler']))
    )
    for part in ('denoiser', 'guide'):
        if config.get(part) is not None:
            config[part] = complete_denoiser(
                config[part], conditioner, autoencoder, scheduler.num_outputs
            )
    return config | dict(conditioner=own)


def _tried(config: Mapping[str, Any]) -> nn.Module:
    with torch.device('meta'):
        return MODELS.build(dict(config))


def _class(config: Mapping[str, Any]) -> type | None:
    kind = config.get('type')
    cls = MODELS.get(kind) if isinstance(kind, str) else kind
    return cls if inspect.isclass(cls) else None


def _filled(
    config: Mapping[str, Any],
    values: Mapping[str, Any],
    only_required: bool = False,
) -> dict[str, Any]:
    """A part's config, completed with values that it lacks.

    Args:
        config: Config of the part.
        values: Values by argument name. Those that the part's class does not
            take are ignored.
        only_required: Fill in only arguments without a default.
    """
    filled = dict(config)
    cls = _class(config)
    # An unknown class is reported by the build.
    arguments = arguments_of(cls)[0] if cls else {}
    for key, value in values.items():
        if key not in arguments or arguments[key].default == value:
            continue
        default = arguments[key].default
        required = default is inspect.Parameter.empty
        if value != default and (required or not only_required):
            filled.setdefault(key, value)
    return filled
