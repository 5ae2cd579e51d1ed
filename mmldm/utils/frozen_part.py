"""Parts of a model that are not trained and need not be stored again."""

import torch
from torch import Tensor, nn

from .checkpoint import weights_hash


class FrozenPart(nn.Module):
    """Base class of modules with one frozen part.

    A part that comes from a file is not stored again in every state dict.
    Instead, the hash of its weights is stored, and loading verifies it.

    Attributes:
        part: Name of the part; the hash is the buffer ``{part}_hash``.
        files: Arguments of the constructor that name files; the first one
            names the file of the part.
        entrances: Methods of the part that need its weights; all others may
            be called while these are not in memory, see ``release_part``.
    """

    part: str
    files: tuple[str, ...]
    entrances: tuple[str, ...] = ()

    def freeze_part(self, has_file: bool) -> None:
        """Freeze the part, after its weights are loaded.

        Args:
            has_file: Whether the part comes from a file, so that state dicts
                leave it out.
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
        """Include the part in state dicts, as if it had no file."""
        if self.part_hash is not None:
            delattr(self, self.hash_name)

    def train(self, mode: bool = True) -> 'FrozenPart':
        """See :meth:`nn.Module.train`; the part stays in evaluation mode."""
        super().train(mode)
        getattr(self, self.part).eval()
        return self

    @property
    def hash_name(self) -> str:
        """Name of the buffer of the hash."""
        return f'{self.part}_hash'

    @property
    def part_hash(self) -> Tensor | None:
        """Hash of the part; None if state dicts include the part."""
        return getattr(self, self.hash_name, None)

    def frozen_weights(self) -> dict[str, Tensor]:
        """The part's weights, name in the module to tensor."""
        return getattr(self, self.part).state_dict(prefix=f'{self.part}.')

    def read_part(self) -> dict[str, Tensor]:
        """The part's weights from its file, name in the part to tensor."""
        raise NotImplementedError

    def hash_part(self, weights: dict[str, Tensor]) -> Tensor:
        """Hash of :meth:`frozen_weights`, uint8 (32,)."""
        return weights_hash(weights)

    def accepts(self, wanted: Tensor) -> bool:
        """Whether this part serves a checkpoint that was made with another.

        Args:
            wanted: Hash of the checkpoint's part, uint8 (32,).
        """
        return torch.equal(self.part_hash.cpu(), wanted.cpu())

    def other_part(self, wanted: Tensor) -> str:
        """The message if a checkpoint was made with another part.

        Args:
            wanted: Hash of the other part, uint8 (32,).
        """
        argument = self.files[0]
        name = f'{type(self).__name__}.{argument}'
        return (
            f'the checkpoint was made with a {self.part} of other weights '
            f'than {name}={getattr(self, argument, None)!r}: set {name} '
            'to the file that it was made with'
        )


def make_constant(module: nn.Module) -> None:
    """Turn all weights into buffers that are neither stored nor trained."""
    for part in module.modules():
        for name, weight in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, weight.detach(), persistent=False)
        for name, buffer in list(part.named_buffers(recurse=False)):
            part.register_buffer(name, buffer, persistent=False)
        if hasattr(part, 'track_running_stats'):
            # Else, a batch norm adds its counter to state dicts it loads.
            part.track_running_stats = False


def _leave_out(
    module: FrozenPart, state: dict, prefix: str, metadata: dict
) -> None:
    """Remove from a state dict the weights that the part's file holds."""
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
    """Complete a state dict with the part that its hash names.

    Raises:
        ValueError: If this module has another part.
    """
    own, frozen = module.part_hash, module.frozen_weights()
    key = prefix + module.hash_name
    # In the module's types: the hash is that of weights once loaded.
    given = {
        n: state[prefix + n].to(w.dtype)
        for n, w in frozen.items()
        if prefix + n in state
    }
    if given:
        # A whole model: its part is identified by the weights themselves.
        state.pop(key, None)
        if own is None:
            return
        state[key] = module.hash_part(given)
    wanted = state.get(key)
    if wanted is None:
        return
    if own is None or not module.accepts(wanted):
        raise ValueError(module.other_part(wanted))
    state[key] = own
    state.update({prefix + name: w for name, w in frozen.items()})
