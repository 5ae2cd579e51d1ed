"""Configs of editors around converted networks."""

from collections.abc import Mapping
from typing import Any

# Weights of the paper's losses; see FirstStage.
REGULARIZATION = {'AutoencoderKL': 1e-6, 'AutoencoderVQ': 1.0}

# How often models that are guided by a condition were trained without it.
DROP_PROB = 0.1


def first_stage_editor(autoencoder: Mapping[str, Any]) -> dict[str, Any]:
    """The config of an editor that trains an autoencoder further.

    Raises:
        ValueError: If the autoencoder has no weights.
    """
    kind = autoencoder['type']
    if kind not in REGULARIZATION:
        raise ValueError(
            'this is a first stage without weights: write '
            f"autoencoder=dict(type='{kind}') in a config instead"
        )
    return dict(
        type='FirstStage',
        autoencoder=dict(autoencoder),
        regularization_weight=REGULARIZATION[kind],
    )
