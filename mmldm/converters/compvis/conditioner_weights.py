"""Weights of conditions of the original code of Rombach et al. 2022.

The code is ``ldm/modules/encoders/modules.py`` of
github.com/CompVis/latent-diffusion a506df5.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..key_mapping import KeyMapping, check_weights, under
from ..transformer_names import BERT_KEYS, CLIP_KEYS
from .open_clip import is_open_clip, open_clip_to_clip

NOTHING = KeyMapping(lambda _: {})
# By type of our embedder: its names in a ``cond_stage_model``.
WEIGHTS = {
    'ClassEmbedder': KeyMapping(lambda _: {'embedding': 'embedding'}),
    'PrecomputedFeatures': NOTHING,
    'LowResolution': NOTHING,
    'MaskedImage': NOTHING,
    'SemanticMap': KeyMapping(
        lambda _: {'linear': 'channel_mapper'},
        pointwise={(nn.Linear, 'weight'): 2},
    ),
    'TextEncoder': CLIP_KEYS,
    'TokenTransformer': BERT_KEYS,
}


def conditioner_weights(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Convert weights to our names and shapes.

    Args:
        weights: Weights by name in the original's ``cond_stage_model``.
        config: Result of :func:`conditioner_config`.

    Raises:
        ValueError: If a weight is missing, unknown or has another shape.
            The message has the names in both systems.
    """
    embedders = config.get('embedders', ())
    if not embedders:
        check_weights(weights, [])
        return {}
    # A second condition is a finished tensor and has no weights.
    embedder = embedders[0]
    if is_open_clip(weights):
        num_layers = embedder['config']['num_hidden_layers']
        weights = open_clip_to_clip(weights, num_layers)
    ours = WEIGHTS[embedder['type']].read(weights, embedder)
    return under('embedders.0.', ours)
