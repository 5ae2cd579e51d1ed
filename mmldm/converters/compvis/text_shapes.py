"""The size of CLIP's text encoder, read from the shapes of its weights."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from torch import Tensor

from ..transformer_names import SHELL
from .open_clip import LAYERS, TOKENS, is_open_clip

# Channels of an attention head in CLIP's text encoders of all sizes.
HEAD_CHANNELS = 64
CLIP_TOKENS = 'embeddings.token_embedding.weight'


def clip_start(weights: Mapping[str, Tensor]) -> str | None:
    """The prefix of CLIP's names in a text encoder; None if it is no CLIP."""
    starts = (''.join(SHELL), SHELL[0], SHELL[1], '')
    return next((s for s in starts if s + CLIP_TOKENS in weights), None)


def text_network(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Arguments of ``CLIPTextConfig`` that the shapes show.

    Args:
        weights: Weights of the text encoder by the names of transformers or
            of OpenCLIP.

    Raises:
        KeyError: If a weight is missing.
    """
    if is_open_clip(weights):
        tokens, positions = TOKENS, 'model.positional_embedding'
        layers, wide = LAYERS, 'mlp.c_fc.weight'
    else:
        start = clip_start(weights)
        tokens = f'{start}{CLIP_TOKENS}'
        positions = f'{start}embeddings.position_embedding.weight'
        layers, wide = f'{start}encoder.layers.', 'mlp.fc1.weight'
    shape = weights[tokens].shape
    vocab_size, hidden_size = shape[0], shape[1]
    num_layers = next(
        i for i in count() if f'{layers}{i}.{wide}' not in weights
    )
    return dict(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=len(weights[f'{layers}0.{wide}']),
        num_hidden_layers=num_layers,
        num_attention_heads=max(1, hidden_size // HEAD_CHANNELS),
        max_position_embeddings=len(weights[positions]),
        bos_token_id=vocab_size - 2,
        eos_token_id=vocab_size - 1,
    )
