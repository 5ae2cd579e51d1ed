"""Any autoencoder class of diffusers as a frozen first stage."""

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import weights_hash
from mmldm.utils.frozen_part import FrozenPart
from mmldm.utils.hub import first_line, required
from mmldm.utils.typing import ConfigType, DrawNoise

from .autoencoder import Autoencoder, Coding
from .autoencoder_kl import DiagonalGaussian
from .diffusers_scale import Numbers, scale_and_shift

PACKAGE = 'diffusers.models.autoencoders.'
CLASS = '_class_name'
WHAT = 'an autoencoder of diffusers'
# Pixels of the image that is encoded without memory, to see the size of
# latents: multiples of every published factor, at most 64.
HEIGHT, WIDTH = 256, 128


@MODELS.register_module()
class DiffusersAutoencoder(FrozenPart, Autoencoder):
    """A frozen first stage that diffusers computes.

    All image autoencoders of diffusers work: ``AutoencoderDC`` (Chen et al.
    2024, arXiv:2410.10733), ``AutoencoderTiny``, ``AsymmetricAutoencoderKL``
    and others; those of videos get images as single frames. ``AutoencoderKL``
    and ``VQModel`` can be trained further if they are converted instead.
    With ``pretrained``, checkpoints of a model hold only the hash of the
    weights; with ``config``, they hold the weights.

    Args:
        pretrained: Folder that diffusers saved, or name on huggingface.co.
        config: Content of its ``config.json``, with ``_class_name``, for a
            network whose weights are loaded with the model.
        latent_scale: See :class:`Autoencoder`; None for the numbers in the
            folder's config.
        latent_shift: See :class:`Autoencoder`; None as for the scale.

    Raises:
        ValueError: If both or none of ``pretrained`` and ``config`` is
            given, or the network is not available or no autoencoder of
            images.
    """

    part = 'network'
    files = ('pretrained',)

    def __init__(
        self,
        pretrained: str | None = None,
        config: ConfigType | None = None,
        latent_scale: Numbers | None = None,
        latent_shift: Numbers | None = None,
    ) -> None:
        if (config is None) == (pretrained is None):
            raise ValueError(
                f'DiffusersAutoencoder.config={config} with pretrained='
                f'{pretrained!r}: give one of them'
            )
        if config is None:
            network, config = _loaded(pretrained)
        else:
            network = _built(config, 'DiffusersAutoencoder.config')
        form = _form(config)
        scale, shift = scale_and_shift(config)
        super().__init__(
            form.channels,
            form.factor,
            scale if latent_scale is None else latent_scale,
            shift if latent_shift is None else latent_shift,
        )
        self.pretrained, self.form = pretrained, form
        self.network = network
        self.freeze_part(has_file=pretrained is not None)

    def include_network(self) -> dict[str, Any]:
        """Store the network in state dicts too.

        Returns:
            The config of a first stage that loads these state dicts.
        """
        self.pretrained = None
        self.include_part()
        return self.own_config()

    def own_config(self) -> dict[str, Any]:
        """The config of the same first stage without a folder."""
        arguments = inspect.signature(type(self.network)).parameters
        config = {
            key: value
            for key, value in self.network.config.items()
            if key in arguments
        }
        config[CLASS] = type(self.network).__name__
        return dict(type=type(self).__name__, config=config)

    def hash_part(self, weights: dict[str, Tensor]) -> Tensor:
        """The hash of the weights; zeros in a trial without memory."""
        if any(weight.is_meta for weight in weights.values()):
            return torch.zeros(32, dtype=torch.uint8)
        return weights_hash(weights)

    def encode_raw(self, x: Tensor, draw_noise: DrawNoise | None) -> Tensor:
        return self.latents_of(self.encode_moments(x), draw_noise)

    def encode_moments(self, x: Tensor) -> Tensor:
        """See :class:`Autoencoder`; mean and log-variance of a posterior."""
        return _encode(self.network, x, self.form.video)[0]

    def latents_of(
        self, moments: Tensor, draw_noise: DrawNoise | None
    ) -> Tensor:
        """See :class:`Autoencoder`."""
        if not self.form.has_posterior:
            return moments
        posterior = DiagonalGaussian(moments)
        if draw_noise is None:
            return posterior.mean
        return posterior.sample(draw_noise)

    def compile(self, **options: Any) -> None:
        """Compile the network's encoder and decoder."""
        for part in self.network.children():
            part.compile(**options)

    def decode_raw(self, z: Tensor) -> Tensor:
        return _decode(self.network, z, self.form.video)

    def encode_for_training(
        self,
        x: Tensor,
        draw_noise: DrawNoise,
        transform: Callable[[Tensor], Tensor] = lambda z: z,
    ) -> Coding:
        """Refused: the network is frozen."""
        raise ValueError(
            'model.autoencoder=DiffusersAutoencoder is frozen and cannot be '
            'trained: convert an AutoencoderKL or VQModel by '
            'tools/model_converters/diffusers_to_mmldm.py, and train that'
        )


class Form(NamedTuple):
    """What a network takes and gives.

    Attributes:
        channels: Channels of latents.
        factor: Pixels per latent position along each side.
        has_posterior: Whether it gives a mean and a log-variance.
        video: Whether it takes videos; an image is one of a single frame.
    """

    channels: int
    factor: int
    has_posterior: bool
    video: bool


def _encode(network: nn.Module, x: Tensor, video: bool) -> tuple[Tensor, bool]:
    """Moments or latents of images, and whether they are moments."""
    found = network.encode(x[:, :, None] if video else x)
    posterior = getattr(found, 'latent_dist', None)
    if posterior is not None:
        z = posterior.parameters
    else:
        names = ('latents', 'latent')
        z = next(getattr(found, n) for n in names if hasattr(found, n))
    return z[:, :, 0] if video else z, posterior is not None


def _decode(network: nn.Module, z: Tensor, video: bool) -> Tensor:
    """Images of latents."""
    x = network.decode(z[:, :, None] if video else z).sample
    return x[:, :, 0] if video else x


def _loaded(pretrained: str) -> tuple[nn.Module, dict[str, Any]]:
    """The network in a folder, float32, and its config."""
    where = f'DiffusersAutoencoder.pretrained={pretrained!r}'
    config = required(_config_of, pretrained, where, WHAT)
    if torch.empty(0).is_meta:  # a trial without memory needs no weights
        return _built(config, where), config
    cls = _class(config, where)

    def load(source: str, **options: Any) -> tuple[nn.Module, dict]:
        return cls.from_pretrained(source, output_loading_info=True, **options)

    network, report = required(load, pretrained, where, WHAT)
    missing = sorted(report['missing_keys'])
    if missing:
        raise ValueError(
            f'{where} lacks {len(missing)} weights of {cls.__name__}, such '
            f'as {missing[0]}: download the whole folder'
        )
    return network.float(), config


def _config_of(source: str, **options: Any) -> dict[str, Any]:
    """The content of a folder's ``config.json``."""
    path = Path(source, 'config.json')
    if path.is_file():
        return json.loads(path.read_bytes())
    from diffusers import AutoencoderKL

    return AutoencoderKL.load_config(source, **options)


def _class(config: Mapping[str, Any], where: str) -> type:
    """The class of a config; no other part of diffusers can be named."""
    try:
        import diffusers
    except ImportError as error:
        raise ValueError(
            f'{where} needs diffusers ({first_line(error)}): pip install '
            'diffusers'
        ) from error
    name = config.get(CLASS)
    cls = getattr(diffusers, name, None) if isinstance(name, str) else None
    if not (
        inspect.isclass(cls)
        and cls.__module__.startswith(PACKAGE)
        and hasattr(cls, 'encode')
    ):
        raise ValueError(
            f'{where} has {CLASS}={name!r}, which is no autoencoder of '
            'diffusers: give the folder of an autoencoder alone, such as '
            'PIPELINE/vae'
        )
    return cls


def _built(config: Mapping[str, Any], where: str) -> nn.Module:
    """An untrained network of a config."""
    cls = _class(config, where)
    try:
        return cls.from_config(dict(config))
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(
            f'{where} does not describe a {cls.__name__} '
            f'({first_line(error)}): give the content of its config.json'
        ) from error


def _form(config: Mapping[str, Any]) -> Form:
    """What a network takes and gives, by a trial without memory."""
    where = f'DiffusersAutoencoder of {config[CLASS]}'
    with torch.device('meta'), torch.no_grad():
        network = _built(config, where).eval()
        try:
            form = _tried(network, video=False)
        except Exception as error:  # whatever a network for videos raises
            try:
                form = _tried(network, video=True)
            except Exception:
                raise ValueError(
                    f'{where} cannot encode and decode an image of '
                    f'{HEIGHT}x{WIDTH} pixels ({first_line(error)}): give an '
                    'autoencoder of RGB images of any size'
                ) from error
    if form.factor & (form.factor - 1):
        raise ValueError(
            f'{where} has {form.factor} pixels per latent position: give one '
            'with a power of 2'
        )
    return form


def _tried(network: nn.Module, video: bool) -> Form:
    """The form of a network, on the meta device.

    Raises:
        Exception: If it does not take such images.
    """
    z, has_posterior = _encode(
        network, torch.empty(1, 3, HEIGHT, WIDTH), video
    )
    _, channels, height, width = z.shape
    factor, channels = HEIGHT // height, channels // (1 + has_posterior)
    x = _decode(network, z[:, :channels], video)
    size = HEIGHT, WIDTH
    if x.shape != (1, 3, *size) or size != (factor * height, factor * width):
        raise ValueError(
            f'latents of {height}x{width}, images of {tuple(x.shape[1:])}'
        )
    return Form(channels, factor, has_posterior, video)
