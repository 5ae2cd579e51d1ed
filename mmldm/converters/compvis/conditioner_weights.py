"""Weights of conditions of the original code of Rombach et al. 2022.

Those of ``ldm/modules/encoders/modules.py`` at
github.com/CompVis/latent-diffusion a506df5.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from ..pairs import Pair, check_weights, to_ours, without_memory
from .text import text_encoder_weights
from .transformer import transformer_weights


def conditioner_weights(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Weights of the original under our names and in our shapes.

    Args:
        weights: By name in the original's ``cond_stage_model``.
        config: As of :func:`conditioner_config`.

    Raises:
        ValueError: If any weight is missing, of another shape or not known;
            theirs and ours are named.
    """
    embedders = config.get('embedders', ())
    if not embedders:
        check_weights(weights, [])
        return {}
    # A second one is given ready-made, and has no weights.
    embedder = embedders[0]
    ours = WEIGHTS[embedder['type']](weights, embedder)
    return {f'embedders.0.{name}': weight for name, weight in ours.items()}


def _by_pairs(pairs: Callable[[nn.Module], list[Pair]]) -> Callable:
    """Converts an embedder of few weights, which are stated."""

    def convert(
        weights: Mapping[str, Tensor], config: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        found = pairs(without_memory(config))
        check_weights(weights, found)
        return to_ours(weights, found)

    return convert


def _class_pairs(embedder: nn.Module) -> list[Pair]:
    name, shape = 'embedding.weight', tuple(embedder.embedding.weight.shape)
    return [Pair(name, shape, (name,), shape)]


def _semantic_pairs(embedder: nn.Module) -> list[Pair]:
    """Our linear layer is a convolution of one position there."""
    shape = tuple(embedder.linear.weight.shape)
    theirs = ('channel_mapper.weight',)
    return [Pair('linear.weight', shape, theirs, (*shape, 1, 1))]


WEIGHTS: dict[str, Callable] = {
    'ClassEmbedder': _by_pairs(_class_pairs),
    'GivenFeatures': _by_pairs(lambda _: []),
    'LowResolution': _by_pairs(lambda _: []),
    'MaskedImage': _by_pairs(lambda _: []),
    'SemanticMap': _by_pairs(_semantic_pairs),
    'TextEncoder': text_encoder_weights,
    'TokenTransformer': transformer_weights,
}
