"""A part of a model that is never trained, and need not be stored again."""

import torch
from torch import Tensor, nn

from .checkpoint import weights_hash


class FrozenPart(nn.Module):
    """Mix-in for a module with one frozen part.

    A part that is given by a file is not stored again in every state dict:
    the hash of its weights is, and loading verifies it.

    Attributes:
        part: Name of the part; the hash is the buffer ``{part}_hash``.
        source: Argument of the constructor that names the part's file.
    """

    part: str
    source: str

    def freeze_part(self, has_file: bool) -> None:
        """Freeze the part, whose weights are there.

        Args:
            has_file: Whether state dicts shall leave it out.
        """
        if has_file:
            digest = self.hash_part(self.frozen_weights())
            self.register_buffer(self.hash_name, digest)
        module = getattr(self, self.part)
        module.requires_grad_(False)
        module.eval()
        self.register_state_dict_post_hook(_leave_out)
        self.register_load_state_dict_pre_hook(_complete)

    def include_part(self) -> None:
        """Let state dicts hold the part too, as if it had no file."""
        if self.part_hash is not None:
            delattr(self, self.hash_name)

    def train(self, mode: bool = True) -> 'FrozenPart':
        """As :meth:`nn.Module.train`; the part stays in evaluation."""
        super().train(mode)
        getattr(self, self.part).eval()
        return self

    @property
    def hash_name(self) -> str:
        """Of the buffer."""
        return f'{self.part}_hash'

    @property
    def part_hash(self) -> Tensor | None:
        """Of a part that is left out; None if it is stored."""
        return getattr(self, self.hash_name, None)

    def frozen_weights(self) -> dict[str, Tensor]:
        """What is left out, by name in the module."""
        return getattr(self, self.part).state_dict(prefix=f'{self.part}.')

    def hash_part(self, weights: dict[str, Tensor]) -> Tensor:
        """(32,) uint8, of :meth:`frozen_weights`."""
        return weights_hash(weights)

    def other_part(self, wanted: Tensor) -> str:
        """What to say if a checkpoint was made with another part.

        Args:
            wanted: The hash of that.
        """
        name = f'{type(self).__name__}.{self.source}'
        return (
            f'the checkpoint was made with a {self.part} of other weights '
            f'than {name}={getattr(self, self.source, None)!r}: set {name} '
            'to the file that it was made with'
        )


def _leave_out(
    module: FrozenPart, state: dict, prefix: str, metadata: dict
) -> None:
    """Take out of a state dict what the part's own file holds."""
    if module.part_hash is not None:
        for name in module.frozen_weights():
            state.pop(prefix + name, None)


def _complete(
    module: FrozenPart,
    state: dict,
    prefix: str,
    metadata: dict,
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """Complete a state dict with the part that it was made with.

    Raises:
        ValueError: If this module has another one.
    """
    own, frozen = module.part_hash, module.frozen_weights()
    key = prefix + module.hash_name
    given = {n: state[prefix + n] for n in frozen if prefix + n in state}
    if given:
        # A whole model: its part is loaded, and known by its weights.
        state.pop(key, None)
        if own is None:
            return
        state[key] = module.hash_part(given)
    wanted = state.get(key)
    if wanted is None:
        return
    if own is None or not torch.equal(own.cpu(), wanted.cpu()):
        raise ValueError(module.other_part(wanted))
    state.update({prefix + name: w for name, w in frozen.items()})
