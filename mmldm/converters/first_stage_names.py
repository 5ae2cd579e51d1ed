"""Names of the parts of our first stages in the other systems."""

from collections.abc import Callable, Iterator

from torch import nn

from mmldm.models.autoencoders import Autoencoder
from mmldm.models.layers import Downsample, SelfAttention2d, Upsample

COMPVIS, DIFFUSERS = range(2)
# Parts of an encoder or a decoder in the original and in diffusers. ``way`` is
# down or up; ``level`` counts from the image's size, ``step`` along the way;
# ``i`` counts parts of one kind in their level from 0, ``number`` from 1.
NAMES = {
    'conv_in': ('conv_in', 'conv_in'),
    'block': ('{way}.{level}.block.{i}', '{way}_blocks.{step}.resnets.{i}'),
    'attention': (
        '{way}.{level}.attn.{i}',
        '{way}_blocks.{step}.attentions.{i}',
    ),
    'resample': (
        '{way}.{level}.{way}sample',
        '{way}_blocks.{step}.{way}samplers.0',
    ),
    'mid_block': ('mid.block_{number}', 'mid_block.resnets.{i}'),
    'mid_attention': ('mid.attn_1', 'mid_block.attentions.0'),
    'norm_out': ('norm_out', 'conv_norm_out'),
    'conv_out': ('conv_out', 'conv_out'),
}
# Names of attention in diffusers before 0.13, and today.
OLD = {
    '.query.': '.to_q.',
    '.key.': '.to_k.',
    '.value.': '.to_v.',
    '.proj_attn.': '.to_out.0.',
}
# The value of all published codebooks, and of diffusers.
QUANTIZER = dict(beta=0.25, legacy_beta=True)
# Parts outside of both, with the same names in both systems.
OUTER = {
    'quant_conv': 'quant_conv',
    'post_quant_conv': 'post_quant_conv',
    'quantizer': 'quantize',
}


def first_stage_names(system: int) -> Callable[[Autoencoder], dict[str, str]]:
    """Names of the parts of a first stage in one of the systems."""

    def names(model: Autoencoder) -> dict[str, str]:
        last = model.factor.bit_length() - 1
        found = {}
        for side, way in (('encoder', 'down'), ('decoder', 'up')):
            parts = _parts(side, getattr(model, side, ()))
            for ours, kind, level, i in parts:
                name = NAMES[kind][system].format(
                    way=way,
                    level=level,
                    step=level if way == 'down' else last - level,
                    i=i,
                    number=i + 1,
                )
                found[ours] = f'{side}.{name}'
        return found | OUTER

    return names


def _parts(
    side: str, layers: nn.Sequential
) -> Iterator[tuple[str, str, int, int]]:
    """Our name, kind, level and index in the other system of every part.

    A resampling belongs to the level before it.
    """
    step = 1 if side == 'encoder' else -1
    count = sum(isinstance(x, Downsample | Upsample) for x in layers)
    level = 0 if side == 'encoder' else count
    blocks = 0
    for i, layer in enumerate(layers):
        ours = f'{side}.{i}'
        if isinstance(layer, nn.Conv2d):
            yield ours, 'conv_in', 0, 0
        elif isinstance(layer, nn.Sequential):
            yield from _in_sequence(ours, layer)
        elif isinstance(layer, Downsample | Upsample):
            yield ours, 'resample', level, 0
            level, blocks = level + step, 0
        elif isinstance(layer, SelfAttention2d):
            yield ours, 'attention', level, blocks - 1
        else:
            yield ours, 'block', level, blocks
            blocks += 1


def _in_sequence(
    ours: str, layers: nn.Sequential
) -> Iterator[tuple[str, str, int, int]]:
    """Parts of the middle, or of the output."""
    if isinstance(layers[0], nn.GroupNorm):
        yield f'{ours}.0', 'norm_out', 0, 0
        yield f'{ours}.2', 'conv_out', 0, 0
        return
    for i, layer in enumerate(layers):
        if isinstance(layer, SelfAttention2d):
            yield f'{ours}.{i}', 'mid_attention', 0, 0
        else:
            yield f'{ours}.{i}', 'mid_block', 0, min(i, 1)
