"""Weights with which a first stage starts as a pair of resizings."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..layers import Downsample, ResBlock, SelfAttention2d, Upsample
from .codec import Decoder, Encoder

COLOURS = 3
# A colour's channels in its norm group: x, -x, LEVEL, -LEVEL. The pairs keep
# the group's mean at 0, and the constants, which are larger than images in
# [-1, 1], its deviation nearly the same for all of them: the norm takes
# neither brightness nor contrast away.
CARRIERS, LEVEL = 4, 64.0


@torch.no_grad()
def start_as_resizing(
    encoder: Encoder,
    quant_conv: nn.Conv2d,
    post_quant_conv: nn.Conv2d,
    decoder: Decoder,
) -> None:
    """Set weights that pass the colours of images through a first stage.

    The first three channels of latents start as means of f x f pixels, and
    images as these, each repeated f x f times. This needs no layer of its
    own: SiLU(a) - SiLU(-a) = a passes the activation of the last layers, and
    residual branches leave the channels of the colours alone. What keeps
    these channels as they are is not trained: the first steps of training
    would lose the colours again.

    Args:
        encoder: Of norm groups of four channels or more.
        quant_conv: Behind the encoder.
        post_quant_conv: Before the decoder.
        decoder: Of norm groups of four channels or more.

    Raises:
        ValueError: If norm groups are too small or too few for the colours.
    """
    _check(encoder)
    _carry_through(encoder)
    for conv in (quant_conv, post_quant_conv):
        _clear(conv, range(COLOURS))
        for colour in range(COLOURS):
            conv.weight[colour, colour] = 1
    _carry_through(decoder)


def _check(encoder: Encoder) -> None:
    norm = next(m for m in encoder.modules() if isinstance(m, nn.GroupNorm))
    size = norm.num_channels // norm.num_groups
    if norm.num_groups < COLOURS or size < CARRIERS:
        raise ValueError(
            f'autoencoder.starts_as_resizing=True needs {COLOURS} norm groups '
            f'or more of {CARRIERS} channels or more, but there are '
            f'{norm.num_groups} of {size}: set '
            f'autoencoder.norm_groups={max(1, norm.num_channels // 8)} or '
            'raise autoencoder.channels'
        )


def _carry_through(layers: Encoder | Decoder) -> None:
    """Have all layers of an encoder or a decoder pass the colours on."""
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
    """The parts of an encoder or a decoder, in order."""
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            yield from _flat(layer)
        else:
            yield layer


def _carriers(channels: int, groups: int) -> list[int]:
    """The channels of all colours: four of each of the first norm groups."""
    size = channels // groups
    return [c * size + i for c in range(COLOURS) for i in range(CARRIERS)]


def _taps(places: Sequence[int], value: float) -> Tensor:
    """A kernel (3, 3) with a value in some rows and columns."""
    kernel = torch.zeros(3, 3)
    for row in places:
        kernel[row, [*places]] = value
    return kernel


def _clear(layer: nn.Module, rows: Sequence[int]) -> None:
    """Silence some outputs."""
    layer.weight[[*rows]] = 0
    layer.bias[[*rows]] = 0


def _hold(layer: nn.Module, rows: Sequence[int]) -> None:
    """Take some outputs out of training."""
    for weight in (layer.weight, layer.bias):
        _hold_entries(weight, [*rows])


def _hold_entries(weight: Tensor, entries: object) -> None:
    """Take some entries of a weight out of training."""
    mask = torch.ones_like(weight)
    mask[entries] = 0
    weight.register_hook(lambda grad: grad * mask.to(grad))


def _silence(layer: nn.Conv2d | nn.Linear, groups: int) -> None:
    """Have a residual branch leave the channels of the colours alone."""
    rows = _carriers(len(layer.weight), groups)
    _clear(layer, rows)
    _hold(layer, rows)


def _keep(conv: nn.Conv2d, groups: int, kernel: Tensor) -> None:
    """Pass the colours on, each filtered by itself, their levels alone."""
    into = _carriers(conv.in_channels, groups)
    out = _carriers(conv.out_channels, groups)
    _clear(conv, out)
    levels = [c for i, c in enumerate(into) if i % CARRIERS >= 2]
    # Else all other channels would be as large.
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
    # What the norm before divided by: the deviation of the group.
    deviation = LEVEL * (2 * groups / conv.in_channels) ** 0.5
    # What all other channels add starts small, but not without a gradient.
    conv.weight[:COLOURS] *= 0.01
    conv.bias[:COLOURS] = 0
    conv.weight[:COLOURS, rows] = 0
    for colour in range(COLOURS):
        plus, minus = rows[CARRIERS * colour :][:2]
        conv.weight[colour, plus] = _taps((1,), deviation)
        conv.weight[colour, minus] = _taps((1,), -deviation)
    _hold_entries(conv.weight, (slice(None), rows))
