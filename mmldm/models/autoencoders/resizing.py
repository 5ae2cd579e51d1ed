"""Initial weights by which a first stage is a pair of resizings."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..layers import Downsample, ResBlock, SelfAttention2d, Upsample
from .codec import Decoder, Encoder

COLOURS = 3
# Each colour has a norm group with these channels: x, -x, LEVEL, -LEVEL. Pairs
# keep the group's mean at 0. LEVEL is much larger than images in [-1, 1] and
# makes the group's deviation nearly constant. The norm thus keeps brightness
# and contrast.
CARRIERS, LEVEL = 4, 64.0


@torch.no_grad()
def start_as_resizing(
    encoder: Encoder,
    quant_conv: nn.Module,
    post_quant_conv: nn.Module,
    decoder: Decoder,
) -> None:
    """Set weights that pass the colours of images through a first stage.

    The first three latent channels start as means of f x f pixels, and
    decoded images as these means, each repeated f x f times. This needs no
    additional layer: SiLU(a) - SiLU(-a) = a passes through the activation
    before the last layers, and residual branches do not change the channels
    of the colours. The weights that preserve these channels are not trained,
    since the first steps of training would lose the colours again.

    Args:
        encoder: Encoder whose norm groups have at least four channels.
        quant_conv: Convolution after the encoder, or ``nn.Identity``.
        post_quant_conv: Convolution before the decoder, or the same.
        decoder: Decoder whose norm groups have at least four channels.

    Raises:
        ValueError: If norm groups are too small or too few for the colours.
    """
    _check(encoder)
    _carry_through(encoder)
    for conv in (quant_conv, post_quant_conv):
        if isinstance(conv, nn.Identity):
            continue
        _clear(conv, range(COLOURS))
        for colour in range(COLOURS):
            conv.weight[colour, colour] = 1
    _carry_through(decoder)


def _check(encoder: Encoder) -> None:
    norm = next(m for m in encoder.modules() if isinstance(m, nn.GroupNorm))
    size = norm.num_channels // norm.num_groups
    if norm.num_groups < COLOURS or size < CARRIERS:
        raise ValueError(
            f'autoencoder.starts_as_resizing=True needs at least {COLOURS} '
            f'norm groups of at least {CARRIERS} channels, but there are '
            f'{norm.num_groups} of {size}: set '
            f'autoencoder.norm_groups={max(1, norm.num_channels // 8)} or '
            'raise autoencoder.channels'
        )


def _carry_through(layers: Encoder | Decoder) -> None:
    """Let all layers of an encoder or a decoder pass the colours on."""
    groups = next(
        m.num_groups for m in layers.modules() if isinstance(m, nn.GroupNorm)
    )
    first, *others = layers
    _start(first, groups)
    for layer in _flat(others):
        if isinstance(layer, ResBlock):
            _silence(layer.conv2, groups)
            if isinstance(layer.skip, nn.Conv2d):
                _keep(layer.skip, groups, torch.ones(1, 1))
        elif isinstance(layer, Downsample):
            _keep(layer.conv, groups, _taps((0, 1), 1 / 4))
        elif isinstance(layer, Upsample):
            _keep(layer.conv, groups, _taps((1,), 1))
        elif isinstance(layer, SelfAttention2d):
            _silence(layer.out, groups)
        elif isinstance(layer, nn.GroupNorm):
            _hold(layer, _carriers(layer.num_channels, groups))
        elif isinstance(layer, nn.Conv2d):
            _end(layer, groups)


def _flat(layers: Sequence[nn.Module]) -> Iterator[nn.Module]:
    """The layers of an encoder or a decoder, in order."""
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            yield from _flat(layer)
        else:
            yield layer


def _carriers(channels: int, groups: int) -> list[int]:
    """Channels of all colours: four in each of the first norm groups."""
    size = channels // groups
    return [c * size + i for c in range(COLOURS) for i in range(CARRIERS)]


def _taps(places: Sequence[int], value: float) -> Tensor:
    """A kernel (3, 3) with a value at some rows and columns."""
    kernel = torch.zeros(3, 3)
    for row in places:
        kernel[row, [*places]] = value
    return kernel


def _clear(layer: nn.Module, rows: Sequence[int]) -> None:
    """Set the weights of some outputs to zero."""
    layer.weight[[*rows]] = 0
    layer.bias[[*rows]] = 0


def _hold(layer: nn.Module, rows: Sequence[int]) -> None:
    """Exclude some outputs from training."""
    for weight in (layer.weight, layer.bias):
        _hold_entries(weight, [*rows])


def _hold_entries(weight: Tensor, entries: object) -> None:
    """Exclude some entries of a weight from training."""
    mask = torch.ones_like(weight)
    mask[entries] = 0
    weight.register_hook(lambda grad: grad * mask.to(grad))


def _silence(layer: nn.Conv2d | nn.Linear, groups: int) -> None:
    """Stop a residual branch from changing the channels of the colours."""
    rows = _carriers(len(layer.weight), groups)
    _clear(layer, rows)
    _hold(layer, rows)


def _keep(conv: nn.Conv2d, groups: int, kernel: Tensor) -> None:
    """Pass on each colour through a filter, and its level unchanged."""
    into = _carriers(conv.in_channels, groups)
    out = _carriers(conv.out_channels, groups)
    _clear(conv, out)
    levels = [c for i, c in enumerate(into) if i % CARRIERS >= 2]
    # Otherwise all other channels would be as large as LEVEL.
    conv.weight[:, levels] = 0
    for row, column in zip(out, into, strict=True):
        conv.weight[row, column] = kernel
    _hold(conv, out)
    _hold_entries(conv.weight, (slice(None), levels))


def _start(conv: nn.Conv2d, groups: int) -> None:
    """Make the channels of the colours from an image or a latent."""
    rows = _carriers(conv.out_channels, groups)
    _clear(conv, rows)
    for colour in range(COLOURS):
        plus, minus, high, low = rows[CARRIERS * colour :][:CARRIERS]
        conv.weight[plus, colour] = _taps((1,), 1)
        conv.weight[minus, colour] = _taps((1,), -1)
        conv.bias[high], conv.bias[low] = LEVEL, -LEVEL
    _hold(conv, rows)


def _end(conv: nn.Conv2d, groups: int) -> None:
    """Make a latent or an image from the channels of the colours."""
    rows = _carriers(conv.in_channels, groups)
    # Undoes the norm before it, which divided by the group's deviation.
    deviation = LEVEL * (2 * groups / conv.in_channels) ** 0.5
    # Other channels start with a small effect, but with a gradient.
    conv.weight[:COLOURS] *= 0.01
    conv.bias[:COLOURS] = 0
    conv.weight[:COLOURS, rows] = 0
    for colour in range(COLOURS):
        plus, minus = rows[CARRIERS * colour :][:2]
        conv.weight[colour, plus] = _taps((1,), deviation)
        conv.weight[colour, minus] = _taps((1,), -deviation)
    _hold_entries(conv.weight, (slice(None), rows))
