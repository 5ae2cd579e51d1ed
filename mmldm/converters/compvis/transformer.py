"""Text and layout encoders of the original code of Rombach et al. 2022.

``BERTEmbedder`` of ``ldm/modules/encoders/modules.py``, of whose weights
those of the transformer start with ``transformer.``; names are those of
github.com/CompVis/latent-diffusion at a506df5.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..transformer_pairs import Dialect, from_dialect, to_dialect

LAYER = 'transformer.attn_layers.layers.{}.{}'


def transformer_weights(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Weights of the original under our names.

    Args:
        weights: By name in the original's ``BERTEmbedder``.
        config: Of a ``TokenTransformer`` with ``logits=True``.

    Raises:
        ValueError: If any weight is missing, of another shape or not known;
            theirs and ours are named.
    """
    return from_dialect(weights, config, COMPVIS)


def transformer_to_compvis(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The way back: all that the original's ``BERTEmbedder`` loads."""
    return to_dialect(weights, config, COMPVIS)


# Attention and feed-forward are layers of one list there, each behind its
# norm.
COMPVIS = Dialect(
    outer={
        'token_embed': 'transformer.token_emb',
        'position_embed': 'transformer.pos_emb.emb',
        'norm': 'transformer.norm',
        'to_logits': 'transformer.to_logits',
    },
    inner={
        'norm1': lambda i: LAYER.format(2 * i, 0),
        'attn.to_q': lambda i: LAYER.format(2 * i, '1.to_q'),
        'attn.to_k': lambda i: LAYER.format(2 * i, '1.to_k'),
        'attn.to_v': lambda i: LAYER.format(2 * i, '1.to_v'),
        'attn.to_out': lambda i: LAYER.format(2 * i, '1.to_out'),
        'norm2': lambda i: LAYER.format(2 * i + 1, 0),
        'feed_forward.0': lambda i: LAYER.format(2 * i + 1, '1.net.0.0'),
        'feed_forward.2': lambda i: LAYER.format(2 * i + 1, '1.net.2'),
    },
    remedy='Give the yaml file they were trained with',
)
