"""Text encoders in folders of diffusers: configs and weights, both ways.

``LDMBertModel`` of diffusers 0.42 is our ``TokenTransformer``, transformers'
``CLIPTextModel`` our ``TextEncoder``. Configs are the content of their
``config.json``.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..transformer_names import CLIP_KEYS, LDMBERT_KEYS
from .kinds import check_kinds

# Our arguments, and what LDMBertConfig has by default.
LDMBERT = {
    'vocab_size': ('vocab_size', 30522),
    'max_length': ('max_position_embeddings', 77),
    'embed_dim': ('d_model', 1280),
    'num_layers': ('encoder_layers', 32),
    'num_heads': ('encoder_attention_heads', 8),
    'head_channels': ('head_dim', 64),
}
CLIP_KIND = 'clip_text_model'
# What the network of CLIPTextConfig depends on.
CLIP = (
    'vocab_size',
    'hidden_size',
    'intermediate_size',
    'num_hidden_layers',
    'num_attention_heads',
    'max_position_embeddings',
    'hidden_act',
    'layer_norm_eps',
    'bos_token_id',
    'eos_token_id',
    'pad_token_id',
)


def transformer_from_diffusers_config(
    theirs: Mapping[str, Any], tokenizer: str = 'bert-base-uncased'
) -> dict[str, Any]:
    """The config of the ``TokenTransformer`` that an ``LDMBertModel`` is.

    Args:
        theirs: Of the ``LDMBertModel``.
        tokenizer: Folder or name of its tokenizer.

    Raises:
        ValueError: If it is another network.
    """
    _check_kind(theirs, 'ldmbert')
    check_kinds('LDMBertModel', theirs)
    sizes = {
        ours: theirs.get(key, default)
        for ours, (key, default) in LDMBERT.items()
    }
    fixed = dict(
        activation_function='gelu', encoder_ffn_dim=4 * sizes['embed_dim']
    )
    for key, value in fixed.items():
        if theirs.get(key, value) != value:
            raise ValueError(
                f'{key}={theirs[key]!r} of the LDMBertModel is not supported: '
                f'only {value!r} is'
            )
    return dict(
        type='TokenTransformer',
        tokenizer=dict(
            type='BertTokens',
            pretrained=tokenizer,
            max_length=sizes['max_length'],
        ),
        **sizes,
        logits=True,
    )


def transformer_to_diffusers_config(
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """The config of the ``LDMBertModel`` that is a ``TokenTransformer``."""
    sizes = {
        theirs: config.get(key, default)
        for key, (theirs, default) in LDMBERT.items()
    }
    return dict(
        architectures=['LDMBertModel'],
        model_type='ldmbert',
        **sizes,
        encoder_ffn_dim=4 * sizes['d_model'],
        activation_function='gelu',
        dropout=0.0,
        pad_token_id=0,
    )


def text_encoder_from_diffusers_config(
    theirs: Mapping[str, Any], tokenizer: str
) -> dict[str, Any]:
    """The config of the ``TextEncoder`` that a ``CLIPTextModel`` is.

    Args:
        theirs: Of the ``CLIPTextModel``.
        tokenizer: Folder or name of its tokenizer.

    Raises:
        ValueError: If it is another network.
    """
    _check_kind(theirs, CLIP_KIND)
    check_kinds('CLIPTextModel', theirs)
    return dict(
        type='TextEncoder',
        config={key: theirs[key] for key in CLIP if key in theirs},
        tokenizer=tokenizer,
        max_length=theirs.get('max_position_embeddings', 77),
    )


def text_encoder_to_diffusers_config(
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """The config of the ``CLIPTextModel`` that is a ``TextEncoder``.

    Pipelines of diffusers read the last layer: where ours reads the one
    before, the last is left out.

    Raises:
        ValueError: If ``config`` does not describe the network.
    """
    return dict(
        architectures=['CLIPTextModel'],
        model_type=CLIP_KIND,
        **_read_layers(config)['config'],
    )


def _check_kind(theirs: Mapping[str, Any], kind: str) -> None:
    """Raise unless a config is of the kind of model, or does not say."""
    found = theirs.get('model_type', kind)
    if found != kind:
        raise ValueError(
            f'the text encoder has model_type={found!r}, which cannot be '
            f'converted as {kind!r}'
        )


def _read_layers(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without the layers of the network that it does not read."""
    if 'config' not in config:
        raise ValueError(
            f'the TextEncoder has pretrained={config.get("pretrained")!r}, '
            'which is a CLIPTextModel of transformers as it stands: use that'
        )
    _check_kind(config['config'], CLIP_KIND)
    network = {k: v for k, v in config['config'].items() if k != 'model_type'}
    if config.get('layer') == 'penultimate':
        network['num_hidden_layers'] = network.get('num_hidden_layers', 12) - 1
    return dict(config) | dict(config=network, layer='last')


def transformer_to_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """All that an ``LDMBertModel`` loads.

    The layer to the vocabulary, which nothing reads, is zeros where ours has
    none.
    """
    if not config.get('logits', False):
        embedded = weights['token_embed.weight']
        weights = {
            **weights,
            'to_logits.weight': torch.zeros_like(embedded),
            'to_logits.bias': torch.zeros_like(embedded[:, 0]),
        }
    return LDMBERT_KEYS.write(weights, {**config, 'logits': True})


def text_encoder_to_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """All that a ``CLIPTextModel`` loads.

    Raises:
        ValueError: If ``config`` does not describe the network.
    """
    return CLIP_KEYS.write(weights, _read_layers(config))
