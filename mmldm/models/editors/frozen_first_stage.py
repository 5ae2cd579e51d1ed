"""A first stage inside another model: frozen, and stored by its hash."""

import logging

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import (
    as_hex,
    load_weights,
    read_checkpoint,
    weights_of,
)
from mmldm.utils.frozen_part import FrozenPart
from mmldm.utils.typing import ConfigType, SampleList

from ..autoencoders import Autoencoder
from .first_stage_hash import MEASURED, ORIGIN, PREFIX, first_stage_hash
from .part_checks import generated_size

HASH = 'autoencoder_hash'


class FrozenFirstStage(FrozenPart):
    """Mix-in that owns ``self.autoencoder``.

    A first stage that has its own checkpoint is not stored again in the
    checkpoints of the model. These hold only its latent scale and the hash of
    its weights, and loading verifies the hash.
    """

    part = 'autoencoder'
    files = ('autoencoder_checkpoint',)
    entrances = (
        *('encode', 'decode', 'encode_raw', 'decode_raw'),
        *('encode_moments', 'codes'),
    )

    def init_first_stage(
        self,
        autoencoder: ConfigType | None,
        checkpoint: str | None,
        other_first_stage: bool = False,
    ) -> None:
        """Build, load and freeze the first stage.

        Args:
            autoencoder: Config of the first stage.
            checkpoint: A checkpoint of ``FirstStage`` or of the autoencoder
                alone; None leaves the weights as they are.
            other_first_stage: See :class:`LatentDiffusion`.

        Raises:
            FileNotFoundError: If the checkpoint does not exist.
            ValueError: If the checkpoint does not fit, or there is no config.
        """
        self.autoencoder_checkpoint = checkpoint
        self.other_first_stage = other_first_stage
        weights = stored = None
        if checkpoint:
            stored = _stored_weights(checkpoint)
            weights = _autoencoder_weights(stored, checkpoint)
        #: Hash of the first stage whose encoder this one keeps, or None.
        self.origin_hash = stored and _copied(stored.get(ORIGIN))
        if 'type' not in (autoencoder or {}):
            raise ValueError(
                'model.autoencoder is missing, and model.'
                f'autoencoder_checkpoint={checkpoint} does not describe '
                'it: give the type and arguments of the first stage'
            )
        self.autoencoder: Autoencoder = MODELS.build(autoencoder)
        if weights is not None:
            load_weights(self.autoencoder, weights, checkpoint)
        self.freeze_part(has_file=checkpoint is not None)

    def include_first_stage(self) -> None:
        """Store the first stage in state dicts too.

        They are then those of a model without ``autoencoder_checkpoint``.
        """
        self.autoencoder_checkpoint = None
        self.include_part()

    def frozen_weights(self) -> dict[str, Tensor]:
        """The first stage's weights, without its scale, by model key."""
        weights = super().frozen_weights()
        return {name: w for name, w in weights.items() if name not in MEASURED}

    def read_part(self) -> dict[str, Tensor]:
        """See :class:`FrozenPart`."""
        file = self.autoencoder_checkpoint
        return _autoencoder_weights(_stored_weights(file), file)

    def hash_part(self, weights: dict[str, Tensor]) -> Tensor:
        """See :func:`first_stage_hash`."""
        return first_stage_hash(weights)

    def accepts(self, wanted: Tensor) -> bool:
        """See :class:`FrozenPart`.

        A first stage whose decoder alone was trained further makes the
        latents of the one before.
        """
        origin = self.origin_hash
        if super().accepts(wanted) or (
            origin is not None and torch.equal(origin.cpu(), wanted.cpu())
        ):
            return True
        if self.other_first_stage:
            print_log(
                'these weights were trained on another first stage, SHA-256 '
                f'{_hex(wanted)}: train them further on '
                f'{self.autoencoder_checkpoint} before they draw',
                logger='current',
                level=logging.WARNING,
            )
        return self.other_first_stage

    def other_part(self, wanted: Tensor) -> str:
        """See :class:`FrozenPart`."""
        own, file = self.part_hash, self.autoencoder_checkpoint
        source = (
            'and model.autoencoder_checkpoint is not given'
            if own is None
            else f'but {file} has {_hex(own)}'
        )
        return (
            'the checkpoint was trained on a first stage whose weights have '
            f'SHA-256 {_hex(wanted)}, {source}: set '
            'model.autoencoder_checkpoint to the file of that first stage, or '
            'model.other_first_stage=True to train the model further on this '
            'one'
        )

    def empty_latents(self, data_samples: SampleList) -> Tensor:
        """Uninitialized latents of the wanted images, (B, C, h, w)."""
        first_stage = self.autoencoder
        size = generated_size(data_samples, self.image_size)
        return torch.empty(
            len(data_samples),
            first_stage.latent_channels,
            *(-(-side // first_stage.factor) for side in size),
            device=next(self.denoiser.parameters()).device,
        )


def _stored_weights(checkpoint: str) -> dict[str, Tensor]:
    """The weights of a checkpoint."""
    try:
        return weights_of(read_checkpoint(checkpoint, mapped=True))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'model.autoencoder_checkpoint={checkpoint!r} does not exist: '
            'train the first stage first, or give its file or work directory'
        ) from error


def _copied(digest: Tensor | None) -> Tensor | None:
    """A copy, so that no file stays mapped."""
    return None if digest is None else digest.clone()


def _autoencoder_weights(
    weights: dict[str, Tensor], checkpoint: str
) -> dict[str, Tensor]:
    """The autoencoder's weights in those of a checkpoint."""
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


def _hex(digest: Tensor) -> str:
    return as_hex(digest)[:12] + '...'
