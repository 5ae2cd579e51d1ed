"""Levels of networks of diffusers: blocks and widths, both ways."""

import inspect
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ..key_table import UNSAID, Given, Key, ignored
from ..kinds import COUNT, WORD, any_of, either, list_of

REMEDY = 'take the file that diffusers saved'
SIZE = either(any_of(COUNT, list_of(COUNT)), None)
# Keys of every file: its origin, and a size that does not change the
# network.
HARMLESS = (
    *ignored('_class_name _diffusers_version _name_or_path'),
    Key('sample_size', kind=SIZE, default=UNSAID),
)


class Blocks(NamedTuple):
    """Names of the blocks of a network: without and with attention.

    Attributes:
        down: Names on the way down.
        up: Names on the way up.
    """

    down: tuple[str, str]
    up: tuple[str, str]

    def keys(self, attends: list[int], widths: list[int]) -> list[Key]:
        """The keys; by default level 0 has no attention, and level 1 has."""
        down, up = self._names(attends)
        return [
            Key('down_block_types', '', list_of(WORD), down),
            Key('up_block_types', '', list_of(WORD), up),
            Key('block_out_channels', '', list_of(COUNT), widths),
        ]

    def _names(self, attends: list[int]) -> tuple[list[str], list[str]]:
        return (
            [self.down[attend] for attend in attends],
            [self.up[attend] for attend in reversed(attends)],
        )

    def read(self, given: Given) -> dict[str, Any]:
        """Our arguments.

        Raises:
            ValueError: If a block is unknown, the way up is not the way down
                in reverse, or widths are no multiples of the first or do not
                have one number per level.
        """
        if not {*given['down_block_types']} <= {*self.down}:
            raise given.refusal(
                'down_block_types',
                'has a block without counterpart here: only '
                f'{" and ".join(self.down)} have one',
            )
        attends = [self.down.index(kind) for kind in given['down_block_types']]
        _, mirrored = self._names(attends)
        if list(given['up_block_types']) != mirrored:
            raise given.refusal(
                'up_block_types',
                f'is not the way down in reverse, {mirrored}, which alone '
                'has a counterpart here',
            )
        widths = given['block_out_channels']
        if len(widths) != len(attends):
            raise given.refusal(
                'block_out_channels',
                f'is not one a block: there are {len(attends)} of those',
            )
        if any(width % widths[0] for width in widths):
            raise given.refusal(
                'block_out_channels',
                'has no counterpart here: all must be multiples of the first',
            )
        return dict(
            channels=widths[0],
            channel_mults=tuple(width // widths[0] for width in widths),
            attn_factors=tuple(2**i for i, a in enumerate(attends) if a),
        )

    def write(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The keys of diffusers for our arguments."""
        mults = args['channel_mults']
        down, up = self._names(
            [int(2**i in args['attn_factors']) for i in range(len(mults))]
        )
        return dict(
            down_block_types=down,
            up_block_types=up,
            block_out_channels=[args['channels'] * mult for mult in mults],
        )


def class_name(
    theirs: Mapping[str, Any],
    known: Collection[str],
    what: str,
    others: str = '',
) -> str:
    """The class that a config file describes.

    Raises:
        ValueError: If the class is unknown.
    """
    name = theirs.get('_class_name')
    if not isinstance(name, str) or name not in known:
        raise ValueError(
            f'_class_name={name!r} cannot be converted as {what}; these can: '
            f'{", ".join(known)}{others}'
        )
    return name


def arguments(cls: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """A config of ours, completed with the defaults of its class."""
    parameters = inspect.signature(cls).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default != p.empty}
    return defaults | dict(config)
