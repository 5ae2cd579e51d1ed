"""First stages as they circulate: with prefixes, and other names."""

import re
from collections.abc import Iterator, Mapping

from mmengine.logging import print_log
from torch import Tensor

from mmldm.utils.checkpoint import few

from ..first_stage_names import COMPVIS, DIFFUSERS, NAMES, OLD
from ..key_mapping import part_of

FIRST = 'encoder.conv_in.weight'
# Prefixes of a first stage in a file of its own or of a whole model.
PREFIXES = 'first_stage_model.', 'vae.', 'model.'
# Layers of blocks and of attention in diffusers, before 0.13 and today. Some
# files have these in the middle of the original's names.
LAYERS = OLD | {
    '.conv_shortcut.': '.nin_shortcut.',
    '.group_norm.': '.norm.',
    '.to_q.': '.q.',
    '.to_k.': '.k.',
    '.to_v.': '.v.',
    '.to_out.0.': '.proj_out.',
}


def first_stage_part(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a first stage, by the original's names.

    Args:
        weights: A first stage by the names of the original or of diffusers,
            alone or in a larger model. What is translated and left out is
            logged.
    """
    starts = ('', *PREFIXES)
    start = next((p for p in starts if p + FIRST in weights), '')
    left_out = [name for name in weights if not name.startswith(start)]
    if start:
        others = f'; {len(left_out)} other weights are left out: '
        print_log(
            f'The first stage is read from {start}*'
            f'{others + few(left_out) if left_out else ""}',
            logger='current',
        )
    return usual_names(part_of(weights, start))


def usual_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A first stage's weights by the original's names; others stay.

    Raises:
        ValueError: If two weights would have the same name.
    """
    found = {}
    last = max(map(_step, weights), default=0)
    for name, weight in weights.items():
        usual = _usual(name, last)
        if usual in found:
            raise ValueError(
                f'{name} and another weight are both {usual} in the '
                'original: remove one of them'
            )
        found[usual] = weight
    renamed = sorted(weights.keys() - found.keys())
    if renamed:
        print_log(
            f'{len(renamed)} weights of the first stage have names of '
            f'diffusers or of its earlier versions, such as {renamed[0]}: '
            'they are translated',
            logger='current',
        )
    return found


def _step(name: str) -> int:
    """Number of a block on the way up; 0 in other names."""
    match = re.match(r'decoder\.up_blocks\.(\d+)\.', name)
    return int(match[1]) if match else 0


def _usual(name: str, last: int) -> str:
    """A name in the original.

    Args:
        name: Name in the original or in diffusers.
        last: Number of the last level.
    """
    for pattern, template in _patterns():
        if match := pattern.match(name):
            groups = match.groupdict()
            step, i = int(groups.get('step', 0)), int(groups.get('i', 0))
            up = groups.get('way') == 'up'
            part = template.format(
                way=groups.get('way'),
                level=last - step if up else step,
                i=i,
                number=i + 1,
            )
            name = f'{match["side"]}.{part}.{match["rest"]}'
            break
    for theirs, usual in LAYERS.items():
        name = name.replace(theirs, usual)
    return name


def _patterns() -> Iterator[tuple[re.Pattern, str]]:
    """Patterns of the parts' names in diffusers, and the original's names."""
    for names in NAMES.values():
        template = re.escape(names[DIFFUSERS])
        template = template.replace(r'\{way\}', '(?P<way>down|up)', 1)
        template = template.replace(r'\{way\}', '(?P=way)')
        for number in ('step', 'i'):
            template = template.replace(
                rf'\{{{number}\}}', rf'(?P<{number}>\d+)'
            )
        side = r'(?P<side>encoder|decoder)'
        yield (
            re.compile(rf'{side}\.{template}\.(?P<rest>.+)'),
            names[COMPVIS],
        )
