"""The text encoder of Stable Diffusion 1 in its original form.

``FrozenCLIPEmbedder`` of ``ldm/modules/encoders/modules.py``; names and
defaults are those of github.com/CompVis/stable-diffusion at 21f890f.
"""

from collections.abc import Mapping
from typing import Any

from .params import check_rest

TARGET = 'ldm.modules.encoders.modules.FrozenCLIPEmbedder'
VERSION = 'openai/clip-vit-large-patch14'
# The network of that version, which a checkpoint does not describe.
NETWORK = dict(
    vocab_size=49408,
    hidden_size=768,
    intermediate_size=3072,
    num_hidden_layers=12,
    num_attention_heads=12,
    max_position_embeddings=77,
    hidden_act='quick_gelu',
    layer_norm_eps=1e-5,
    bos_token_id=49406,
    eos_token_id=49407,
)


def text_encoder_config(original: Mapping[str, Any]) -> dict[str, Any]:
    """The config of the ``TextEncoder`` that a config of the original is.

    Args:
        original: ``target`` and ``params``, as under ``cond_stage_config``.

    Raises:
        ValueError: If it is another encoder, or another version of CLIP.
    """
    target = original.get('target')
    if target != TARGET:
        raise ValueError(
            f'target={target!r} cannot be converted as a text encoder; this '
            f'can: {TARGET}'
        )
    params = dict(original.get('params') or {})
    max_length = params.pop('max_length', 77)
    check_rest(params, {'version': VERSION}, {'device'})
    return dict(
        type='TextEncoder',
        config=dict(NETWORK),
        tokenizer=VERSION,
        max_length=max_length,
    )
