"""A first stage inside another model: frozen, and stored by its hash."""

import torch
from torch import Tensor, nn

from mmldm.utils.checkpoint import (
    load_weights,
    read_checkpoint,
    weights_hash,
    weights_of,
)

from ..autoencoders import Autoencoder
from ..layers.quantizer import TRAINING_STATE

PREFIX = 'autoencoder.'
# Measured, not trained: travels with every model that uses it.
MEASURED = {PREFIX + 'latent_scale', PREFIX + 'latent_shift'}
HASH = 'autoencoder_hash'


class FrozenFirstStage(nn.Module):
    """Mix-in that owns ``self.autoencoder``.

    With a checkpoint of its own the first stage is not stored again in every
    checkpoint of the model: its latent scale and the hash of its weights
    are. Loading verifies the hash.
    """

    def init_first_stage(
        self, autoencoder: Autoencoder, checkpoint: str | None
    ) -> None:
        """Load and freeze the first stage.

        Args:
            autoencoder: The module.
            checkpoint: A checkpoint of ``FirstStage`` or of the autoencoder
                alone; None leaves the weights as they are.

        Raises:
            FileNotFoundError: If the checkpoint does not exist.
            ValueError: If it does not fit.
        """
        self.autoencoder = autoencoder
        self.autoencoder_checkpoint = checkpoint
        if checkpoint is not None:
            load_weights(
                autoencoder, _autoencoder_weights(checkpoint), checkpoint
            )
            self.register_buffer(HASH, _hash(self._frozen_weights()))
        autoencoder.requires_grad_(False)
        autoencoder.eval()
        self.register_state_dict_post_hook(_drop_frozen)
        self.register_load_state_dict_pre_hook(_restore_frozen)

    def include_first_stage(self) -> None:
        """Let state dicts hold the first stage too.

        They are then those of a model without ``autoencoder_checkpoint``.
        """
        if self.autoencoder_checkpoint is not None:
            self.autoencoder_checkpoint = None
            delattr(self, HASH)

    def train(self, mode: bool = True) -> 'FrozenFirstStage':
        """As :meth:`nn.Module.train`; the first stage stays in evaluation."""
        super().train(mode)
        self.autoencoder.eval()
        return self

    def _frozen_weights(self) -> dict[str, Tensor]:
        """The first stage's weights but its scale, by name in the model."""
        weights = self.autoencoder.state_dict(prefix=PREFIX)
        return {name: w for name, w in weights.items() if name not in MEASURED}


def _autoencoder_weights(checkpoint: str) -> dict[str, Tensor]:
    """The autoencoder's weights in any checkpoint that has them."""
    try:
        weights = weights_of(read_checkpoint(checkpoint))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'model.autoencoder_checkpoint={checkpoint!r} does not exist: '
            'train the first stage before, or give its file or work directory'
        ) from error
    if HASH in weights and not any(
        name.startswith(PREFIX) and name not in MEASURED for name in weights
    ):
        raise ValueError(
            f'model.autoencoder_checkpoint={checkpoint!r} holds a latent '
            'diffusion model without its first stage: give the file of the '
            'first stage itself'
        )
    inside = {
        name.removeprefix(PREFIX): weight
        for name, weight in weights.items()
        if name.startswith(PREFIX)
    }
    return inside or weights


def _drop_frozen(
    model: FrozenFirstStage, state: dict, prefix: str, metadata: dict
) -> None:
    """Leave out of a state dict what the first stage's file holds."""
    if model.autoencoder_checkpoint is not None:
        for name in model._frozen_weights():
            state.pop(prefix + name, None)


def _restore_frozen(
    model: FrozenFirstStage,
    state: dict,
    prefix: str,
    metadata: dict,
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """Complete a state dict with the first stage it was trained on.

    Raises:
        ValueError: If this model has another first stage.
    """
    frozen = model._frozen_weights()
    if any(prefix + name in state for name in frozen):
        # A whole model: its first stage is loaded, and known by its weights.
        state.pop(prefix + HASH, None)
        if model.autoencoder_checkpoint is None:
            return
        wanted = _hash(
            {n: state[prefix + n] for n in frozen if prefix + n in state}
        )
        state[prefix + HASH] = wanted
    else:
        wanted = state.get(prefix + HASH)
    if wanted is None:
        return
    own = getattr(model, HASH, None)
    if own is None or not torch.equal(own.cpu(), wanted.cpu()):
        raise ValueError(
            'the checkpoint was trained on a first stage whose weights have '
            f'SHA-256 {_hex(wanted)}, '
            + (
                'and model.autoencoder_checkpoint is not given'
                if own is None
                else f'but {model.autoencoder_checkpoint} has {_hex(own)}'
            )
            + ': set model.autoencoder_checkpoint to the file it was trained '
            'with'
        )
    for name, weight in frozen.items():
        state[prefix + name] = weight


def _hash(weights: dict[str, Tensor]) -> Tensor:
    """Of what encodes and decodes, however a codebook was trained."""
    return weights_hash(
        {
            name: weight
            for name, weight in weights.items()
            if name.rpartition('.')[2] not in TRAINING_STATE
        }
    )


def _hex(digest: Tensor) -> str:
    return bytes(digest.cpu().tolist()).hex()[:12] + '...'
