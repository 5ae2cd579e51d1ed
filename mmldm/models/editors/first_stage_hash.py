"""The identity of a first stage: the hash of its weights."""

from collections.abc import Mapping

from torch import Tensor

from mmldm.utils.checkpoint import weights_hash

from ..layers.codebook_state import TRAINING_STATE

PREFIX = 'autoencoder.'
# These states are measured, not trained, and stored with every model.
MEASURED = {PREFIX + 'latent_scale', PREFIX + 'latent_shift'}
# The state of a ``FirstStage`` with the hash of the one that it began from,
# if it keeps that one's encoder.
ORIGIN = 'origin_hash'


def first_stage_hash(weights: Mapping[str, Tensor]) -> Tensor:
    """The hash of all weights that encode or decode, uint8 (32,).

    State that only trains a codebook is left out.

    Args:
        weights: Weights of a model, by name; those of other parts than the
            first stage are left out.
    """
    return weights_hash(
        {
            name: weight
            for name, weight in weights.items()
            if name.startswith(PREFIX)
            and name not in MEASURED
            and name.rpartition('.')[2] not in TRAINING_STATE
        }
    )
