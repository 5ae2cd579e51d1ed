"""The base class of all first stages."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmldm.utils import check_positive
from mmldm.utils.typing import DrawNoise


class Coding(NamedTuple):
    """Latents of a training step, with their losses.

    Attributes:
        z: Latents for :meth:`Autoencoder.decode_for_training`.
        losses: Terms that regularise latents, by name, each of shape ();
            logged as ``loss_<name>``.
        logs: Values to log, by name, each of shape ().
    """

    z: Tensor
    losses: dict[str, Tensor]
    logs: dict[str, Tensor]


class Autoencoder(BaseModule):
    """Encodes images as *scaled* latents and decodes these.

    Latents outside of this class are always (raw - shift) * scale, and only
    this class knows both numbers (Rombach et al. 2022, section 4.3.2 and
    app. G). ``LatentDiffusion`` needs only :meth:`encode_raw` and
    :meth:`decode_raw`. ``FirstStage`` trains the same two, unless
    :meth:`encode_for_training` and :meth:`decode_for_training` are
    overridden; with ``adversarial`` it also needs :attr:`last_weight`.

    Args:
        latent_channels: Channels of a latent.
        factor: Pixels per latent position along each side, a power of 2.
        latent_scale: Factor that gives raw latents a standard deviation of
            about 1: one number, or one per channel. ``LatentScaleHook`` and
            ``tools/analysis_tools/latent_stats.py`` measure it.
        latent_shift: Subtracted from raw latents before scaling: one number,
            or one per channel.
    """

    #: Arguments that are configs, with the default of their ``type``.
    part_types: dict[str, str] = {}
    #: Arguments without effect once weights are loaded.
    training_arguments: tuple[str, ...] = ()
    #: Modules that decode only: with others of these, latents are the same.
    decoding_parts: tuple[str, ...] = ()
    #: Size of the codebook that :meth:`codes` counts in; None without one.
    num_codes: int | None = None

    def __init__(
        self,
        latent_channels: int,
        factor: int,
        latent_scale: float | Sequence[float] = 1.0,
        latent_shift: float | Sequence[float] = 0.0,
    ) -> None:
        super().__init__()
        self.latent_channels = latent_channels
        self.factor = factor
        scale = _by_channel('latent_scale', latent_scale, latent_channels)
        for value in scale.flatten().tolist():
            check_positive('latent_scale', value)
        self.register_buffer('latent_scale', scale)
        self.register_buffer(
            'latent_shift',
            _by_channel('latent_shift', latent_shift, latent_channels),
        )

    def encode(self, x: Tensor, draw_noise: DrawNoise | None = None) -> Tensor:
        """Scaled latents (B, latent_channels, ceil(H / f), ceil(W / f)).

        If f does not divide H or W, the last row or column is repeated up to
        a multiple of f; :meth:`decode` removes these again.

        Args:
            x: Images in [-1, 1], (B, 3, H, W).
            draw_noise: Makes the noise for a sample of the posterior, if
                there is one; None takes the posterior's mode.

        Raises:
            ValueError: If the images are not (B, 3, H, W).
        """
        _check_axes('images', x, 3)
        return self.scaled(self.encode_raw(self.pad(x), draw_noise))

    def scaled(self, z: Tensor) -> Tensor:
        """Scaled latents from raw ones, (B, C, h, w)."""
        return (z - self.latent_shift) * self.latent_scale

    def decode(self, z: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """Images of about [-1, 1] from scaled latents (B, C, h, w).

        Args:
            z: Scaled latents, (B, C, h, w).
            size: (H, W) to crop the image to, from the top left; None
                keeps (f h, f w).

        Raises:
            ValueError: If the latents are not (B, C, h, w).
        """
        _check_axes('latents', z, self.latent_channels)
        raw = z / self.latent_scale + self.latent_shift
        x = self.decode_raw(raw.to(self.latent_scale.dtype))
        return x if size is None else x[..., : size[0], : size[1]]

    def pad(self, x: Tensor) -> Tensor:
        """Images (B, 3, H, W) padded to a multiple of f, as in encoding."""
        height, width = (-side % self.factor for side in x.shape[2:])
        if not (height or width):
            return x
        return F.pad(x, (0, width, 0, height), mode='replicate')

    def compile(self, **options: Any) -> None:
        """Compile the parts, as an autoencoder itself is never called."""
        # The adaptive adversarial weight goes back through the decoder twice.
        torch._functorch.config.donated_buffer = False
        for part in self.children():
            part.compile(**options)

    @abstractmethod
    def encode_raw(self, x: Tensor, draw_noise: DrawNoise | None) -> Tensor:
        """Raw latents, without scale and shift; f divides H and W.

        Args:
            x: Images in [-1, 1], (B, 3, H, W).
            draw_noise: See :meth:`encode`.
        """

    @abstractmethod
    def decode_raw(self, z: Tensor) -> Tensor:
        """Images from raw latents, without scale and shift."""

    def encode_moments(self, x: Tensor) -> Tensor:
        """What determines the distribution of raw latents, (B, M, h, w).

        Caches of latents hold it; :meth:`latents_of` gives latents from it.

        Args:
            x: Images in [-1, 1], (B, 3, H, W); f divides H and W.
        """
        raise ValueError(
            f'latents of {type(self).__name__} cannot be cached: give it the '
            'methods encode_moments and latents_of, or train from images'
        )

    def latents_of(
        self, moments: Tensor, draw_noise: DrawNoise | None
    ) -> Tensor:
        """Raw latents from :meth:`encode_moments`, which they are by default.

        Args:
            moments: Output of :meth:`encode_moments`, (B, M, h, w).
            draw_noise: See :meth:`encode`.
        """
        return moments

    def encode_for_training(
        self,
        x: Tensor,
        draw_noise: DrawNoise,
        transform: Callable[[Tensor], Tensor] = lambda z: z,
    ) -> Coding:
        """The latents of a training step, with their losses.

        By default, a sample of :meth:`encode_raw` without any loss.

        Args:
            x: Images in [-1, 1], (B, 3, H, W); f divides H and W.
            draw_noise: Makes all random noise.
            transform: Applied to latents, before any quantisation.
        """
        return Coding(transform(self.encode_raw(x, draw_noise)), {}, {})

    def decode_for_training(self, z: Tensor) -> Tensor:
        """Images from the latents of a :class:`Coding`, raw by default."""
        return self.decode_raw(z)

    @property
    def last_weight(self) -> Tensor:
        """Weight of the last layer, for the adaptive adversarial weight."""
        raise ValueError(
            f'{type(self).__name__} has no last_weight, which '
            'model.adversarial needs: give the class a property last_weight, '
            "the weight of its decoder's last layer, or leave out "
            'model.adversarial'
        )

    def codes(self, z: Tensor) -> Tensor:
        """Indices (B, h, w) of the codes that decode *scaled* latents."""
        raise NotImplementedError(f'{type(self).__name__} has no codebook')


def _check_axes(name: str, x: Tensor, channels: int) -> None:
    """Raise unless there are a batch, channels, height and width."""
    if x.ndim != 4 or x.shape[1] != channels:
        raise ValueError(
            f'{name} must be (B, {channels}, H, W), got {tuple(x.shape)}: '
            'give latents or images of this shape; encode a video frame by '
            'frame, or by an Autoencoder that overrides encode and decode'
        )


def _by_channel(
    name: str, value: float | Sequence[float], channels: int
) -> Tensor:
    """One number, or one per channel, as a tensor (C, 1, 1).

    Raises:
        ValueError: If the number of values is neither 1 nor C.
    """
    # On the CPU even if a model is built on the meta device.
    values = torch.as_tensor(
        value, dtype=torch.float32, device='cpu'
    ).flatten()
    if len(values) not in (1, channels):
        raise ValueError(
            f'{name} has {len(values)} values for {channels} latent channels: '
            f'give one, or {channels}'
        )
    return values.expand(channels).clone()[:, None, None]
