"""The base class of the convolutional first stages."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..layers import Float32Conv2d, zero_init
from .autoencoder import Autoencoder
from .codec import Decoder, Encoder
from .resizing import start_as_resizing
from .skips import BlockSkip, ImageSkip
from .tiling import check_tile_size, tiled_forward


class ConvAutoencoder(Autoencoder):
    """Encoder and decoder with a 1x1 convolution on each side of latents.

    Args:
        latent_channels: Channels of a latent.
        channels: Channels of the first level, multiple of ``norm_groups``.
        channel_mults: Factor on ``channels`` at each level; the image is
            halved between levels, so f = 2^(levels - 1).
        num_res_blocks: Residual blocks per level of the encoder.
        attn_factors: Downsampling factors (1, 2, 4 ...) of the levels with
            attention.
        mid_attention: Whether there is attention at the lowest resolution.
        norm_groups: Groups of every normalisation, 32 in all published
            models. The first level should have at least two channels per
            group: a group of one channel loses its mean, which is the
            image's colour.
        z_channels: Channels between the codec and the 1x1 convolutions; None
            for ``latent_channels``, as in all published models.
        quant_conv: Whether there is a 1x1 convolution after the encoder. The
            first stages of Stable Diffusion 3 and FLUX have none.
        post_quant_conv: Whether there is one before the decoder.
        image_skip: Whether to add the image, averaged over f x f pixels, to
            the first three channels of latents, and these, enlarged, to
            decoded images. The network then starts as a pair of resizings
            and learns what they lose. Colours are right from the start;
            otherwise they take thousands of iterations.
        block_skip: Whether to add a linear transform of blocks of f x f
            pixels to latents, and its inverse to decoded images, see
            :class:`BlockSkip`. The network learns what they lose, which is
            less than with ``image_skip`` if there are many channels.
        starts_as_resizing: Whether to start from weights that average the
            image over f x f pixels and enlarge the result, see
            :func:`start_as_resizing`. It has the purpose of ``image_skip``,
            but adds no layer to the published networks. It only matters to
            training, as a checkpoint replaces these weights.
        tile_size: Side in pixels above which images are encoded and decoded
            in tiles of that size, if no gradients are needed. The result
            is the same and takes less memory, see :func:`tiled_forward`.
            None for never.
        latent_scale: See :class:`Autoencoder`.
        latent_shift: See :class:`Autoencoder`.
    """

    #: Feature maps of the encoder, each of ``latent_channels`` channels.
    num_maps = 1
    training_arguments = ('starts_as_resizing',)

    decoding_parts = ('post_quant_conv', 'decoder')

    def __init__(
        self,
        latent_channels: int,
        channels: int = 128,
        channel_mults: Sequence[int] = (1, 2, 4),
        num_res_blocks: int = 2,
        attn_factors: Sequence[int] = (),
        mid_attention: bool = True,
        norm_groups: int = 32,
        z_channels: int | None = None,
        quant_conv: bool = True,
        post_quant_conv: bool = True,
        image_skip: bool = False,
        block_skip: bool = False,
        starts_as_resizing: bool = False,
        tile_size: int | None = None,
        latent_scale: float | Sequence[float] = 1.0,
        latent_shift: float | Sequence[float] = 0.0,
    ) -> None:
        factor = 2 ** (len(channel_mults) - 1)
        super().__init__(latent_channels, factor, latent_scale, latent_shift)
        _check_attention(attn_factors, factor)
        body = (channels, channel_mults, num_res_blocks)
        body += (attn_factors, mid_attention, norm_groups)
        z_channels = z_channels or latent_channels
        self.encoder = Encoder(self.num_maps * z_channels, *body)
        self.decoder = Decoder(z_channels, *body)
        self._build_pointwise(z_channels, quant_conv, post_quant_conv)
        check_tile_size(tile_size)
        self.tile_size = tile_size
        self.skip = ImageSkip(factor) if image_skip else None
        if block_skip:  # it has bounds of its own
            self.skip = BlockSkip(latent_channels, factor)
        _check_colours(
            latent_channels,
            block_skip=block_skip,
            starts_as_resizing=starts_as_resizing,
            image_skip=image_skip,
        )
        self._start(starts_as_resizing)

    def _build_pointwise(
        self, z_channels: int, quant_conv: bool, post_quant_conv: bool
    ) -> None:
        """Build the convolutions at both sides of the latents, if any."""
        latent = self.latent_channels
        _check_pointwise(z_channels, latent, quant_conv, post_quant_conv)
        self.quant_conv = self.post_quant_conv = nn.Identity()
        if quant_conv:
            sizes = [self.num_maps * c for c in (z_channels, latent)]
            self.quant_conv = Float32Conv2d(*sizes, 1)
        if post_quant_conv:
            self.post_quant_conv = nn.Conv2d(latent, z_channels, 1)

    def _start(self, as_resizing: bool) -> None:
        """Set the first weights of layers that carry a small image."""
        if self.skip is not None:
            zero_init(self.moments_layer)
            zero_init(self.decoder[-1][-1])
        if as_resizing:
            into = (self.encoder, self.quant_conv)
            start_as_resizing(*into, self.post_quant_conv, self.decoder)

    @property
    def moments_layer(self) -> nn.Conv2d:
        """The layer whose output is that of :meth:`encode_moments`."""
        own = self.quant_conv
        return own if isinstance(own, nn.Conv2d) else self.encoder[-1][-1]

    @property
    def last_weight(self) -> Tensor:
        """Weight of the decoder's last convolution, (3, C, 3, 3)."""
        return self.decoder[-1][-1].weight

    def encode_moments(self, x: Tensor) -> Tensor:
        """Output of the encoder, (B, num_maps * C, H / f, W / f)."""
        maps = self.quant_conv(self._run(self.encoder, x))
        if self.skip is None:
            return maps
        first, rest = maps.tensor_split([self.skip.channels], dim=1)
        return torch.cat([first + self.skip.encode(x), rest], dim=1)

    def decode_raw(self, z: Tensor) -> Tensor:
        return self.decode_for_training(z)

    def decode_for_training(self, z: Tensor) -> Tensor:
        """Images (B, 3, f h, f w) from the latents of a :class:`Coding`."""
        x = self._run(self.decoder, self.post_quant_conv(z))
        if self.skip is None:
            return x
        return x + self.skip.decode(z[:, : self.skip.channels])

    def _run(self, net: nn.Sequential, x: Tensor) -> Tensor:
        """Run the encoder or the decoder, whole or in tiles."""
        if self.tile_size is None or torch.is_grad_enabled():
            return net(x)
        return tiled_forward(net, x, self.tile_size)


def _check_colours(latent_channels: int, **ways: bool) -> None:
    """Raise unless there is one way for colours at most, and room for them.

    Args:
        latent_channels: Channels of latents.
        ways: Whether each argument that carries a small image is set.
    """
    used = [name for name, is_used in ways.items() if is_used]
    if len(used) > 1:
        raise ValueError(
            f'autoencoder.{used[0]}=True with {used[1]}=True would carry the '
            f'small image twice: set {used[1]}=False'
        )
    if used and latent_channels < 3:
        raise ValueError(
            f'latent_channels={latent_channels} cannot hold a small image in '
            'colour: set autoencoder.latent_channels to 3 or more, or '
            f'{used[0]}=False'
        )


def _check_pointwise(
    z_channels: int, latent_channels: int, *present: bool
) -> None:
    """Raise if channels differ, but no convolution changes their number."""
    if z_channels != latent_channels and not all(present):
        raise ValueError(
            f'autoencoder.z_channels={z_channels} with latent_channels='
            f'{latent_channels} needs both 1x1 convolutions: set '
            'autoencoder.quant_conv=True and post_quant_conv=True, or leave '
            'out z_channels'
        )


def _check_attention(attn_factors: Sequence[int], factor: int) -> None:
    """Raise if attention is configured at a resolution without level."""
    levels = [2**i for i in range(factor.bit_length())]
    missing = sorted(set(attn_factors) - set(levels))
    if missing:
        raise ValueError(
            f'autoencoder.attn_factors={tuple(attn_factors)}: no level has '
            f'the factor {missing[0]}, choose from {levels}'
        )
