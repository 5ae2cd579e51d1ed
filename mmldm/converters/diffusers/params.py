"""Config files of diffusers: every key understood, or refused by name."""

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from .kinds import check_kinds

# Where a file came from, and a size that its network does not depend on.
HARMLESS = {
    '_class_name',
    '_diffusers_version',
    '_name_or_path',
    'sample_size',
}


class Params:
    """Keys of a config file of diffusers, which are taken out one by one.

    Args:
        part: The part it configures, for messages: 'unet'.
        given: Its content.
        defaults: What diffusers takes where a key is left out.

    Raises:
        ValueError: If a value is of another kind than diffusers takes.
    """

    def __init__(
        self, part: str, given: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> None:
        check_kinds(part, given)
        self.part = part
        self.left = {k: v for k, v in given.items() if k not in HARMLESS}
        self.defaults = defaults

    def take(self, key: str) -> Any:
        """The value of a key, which is understood with that."""
        return self.left.pop(key, self.defaults.get(key))

    def refusal(self, key: str, value: Any, cause: str) -> ValueError:
        """The error of a value that cannot be expressed."""
        return ValueError(f'{self.part}.{key}={value!r} {cause}')

    def finish(
        self, fixed: Mapping[str, tuple], ignored: Collection[str] = ()
    ) -> None:
        """Raise where a key that was not taken would change the result.

        Args:
            fixed: The values that ours has, by key.
            ignored: Keys without influence on a trained network.

        Raises:
            ValueError: If another key or value is there.
        """
        for key, value in self.left.items():
            if key in fixed and value not in fixed[key]:
                only = ' or '.join(map(repr, fixed[key]))
                raise self.refusal(
                    key, value, f'has no counterpart here: only {only} has'
                )
            if key not in fixed and key not in ignored:
                raise self.refusal(
                    key,
                    value,
                    'is not known, and may change the result: take the key '
                    'out of the file if it does not',
                )

    def levels(self, kinds: Mapping[str, bool], other: str = '') -> list[bool]:
        """Which levels have attention, by the names of their blocks.

        Args:
            kinds: Names of blocks on the way down, and whether they attend;
                on the way up 'Up' stands for 'Down'.
            other: What 'Encoder' is called on the way up.

        Raises:
            ValueError: If a block is not known, or the way up is not the way
                down in reverse.
        """
        down = self.take('down_block_types')
        for kind in down:
            if kind not in kinds:
                raise self.refusal(
                    'down_block_types',
                    list(down),
                    f'has a block without counterpart here: only '
                    f'{" and ".join(kinds)} have one',
                )
        up = self.take('up_block_types')
        mirrored = [
            kind.replace('Down', 'Up').replace('Encoder', other)
            for kind in reversed(down)
        ]
        if list(up) != mirrored:
            raise self.refusal(
                'up_block_types',
                list(up),
                f'is not the way down in reverse, {mirrored}, which alone '
                'has a counterpart here',
            )
        return [kinds[kind] for kind in down]

    def widths(self, num_levels: int) -> tuple[int, tuple[int, ...]]:
        """Channels of the first level, and the factors of all.

        Raises:
            ValueError: If they are no multiples, or not one a level.
        """
        widths = self.take('block_out_channels')
        first = widths[0]
        if len(widths) != num_levels:
            raise self.refusal(
                'block_out_channels',
                list(widths),
                f'is not one a block: there are {num_levels} of those',
            )
        if any(width % first for width in widths):
            raise self.refusal(
                'block_out_channels',
                list(widths),
                'has no counterpart here: all must be multiples of the first',
            )
        return first, tuple(width // first for width in widths)


def factors(attends: Collection[bool]) -> tuple[int, ...]:
    """Downsampling factors of the levels with attention."""
    return tuple(2**i for i, attend in enumerate(attends) if attend)


def arguments(cls: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """A config of ours with the defaults of its class filled in."""
    parameters = inspect.signature(cls).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default != p.empty}
    return defaults | dict(config)
