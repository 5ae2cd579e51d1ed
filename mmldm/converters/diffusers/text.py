"""Text encoders in folders of diffusers: configs and weights, both ways.

``LDMBertModel`` of diffusers 0.42 is our ``TokenTransformer``;
``CLIPTextModel`` of transformers is our ``TextEncoder``. Configs are the
contents of their ``config.json``.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmldm.models.conditioners import TokenTransformer

from ..key_table import UNSAID, Key, KeyTable, fixed
from ..kinds import COUNT
from ..transformer_names import CLIP_KEYS, LDMBERT_KEYS
from .levels import REMEDY, arguments

LDMBERT_KIND, CLIP_KIND = 'ldmbert', 'clip_text_model'
LDMBERT = KeyTable(
    Key('vocab_size', 'vocab_size', COUNT, 30522),
    Key('max_position_embeddings', 'max_length', COUNT, 77),
    Key('d_model', 'embed_dim', COUNT, 1280),
    Key('encoder_layers', 'num_layers', COUNT, 32),
    Key('encoder_attention_heads', 'num_heads', COUNT, 8),
    Key('head_dim', 'head_channels', COUNT, 64),
    Key('encoder_ffn_dim', '', COUNT, UNSAID),
    *fixed({'activation_function': 'gelu', 'model_type': LDMBERT_KIND}),
    remedy=REMEDY,
    strict=False,
)
COUNTS = (
    'vocab_size hidden_size intermediate_size num_hidden_layers '
    'num_attention_heads max_position_embeddings'
)
OTHERS = 'hidden_act layer_norm_eps bos_token_id eos_token_id pad_token_id'
# Keys of CLIPTextConfig that the network depends on, with the same names.
CLIP = KeyTable(
    *(Key(k, f'config.{k}', COUNT, UNSAID) for k in COUNTS.split()),
    *(Key(k, f'config.{k}', default=UNSAID) for k in OTHERS.split()),
    *fixed({'model_type': CLIP_KIND}),
    remedy=REMEDY,
    strict=False,
)


def transformer_from_diffusers_config(
    theirs: Mapping[str, Any], tokenizer: str = 'bert-base-uncased'
) -> dict[str, Any]:
    """The config of our ``TokenTransformer`` for an ``LDMBertModel``.

    Args:
        theirs: Config of the ``LDMBertModel``.
        tokenizer: Folder or name of its tokenizer.

    Raises:
        ValueError: If it is another network.
    """
    given = LDMBERT.read('LDMBertModel.', theirs)
    wide = 4 * given['d_model']
    if given.get('encoder_ffn_dim', wide) != wide:
        raise given.refusal(
            'encoder_ffn_dim', f'has no counterpart here: only {wide} has'
        )
    tokens = dict(
        type='BertTokens',
        pretrained=tokenizer,
        max_length=given['max_position_embeddings'],
    )
    return dict(
        type='TokenTransformer', tokenizer=tokens, **given.ours, logits=True
    )


def transformer_to_diffusers_config(
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """The config of the ``LDMBertModel`` for a ``TokenTransformer``."""
    args = arguments(TokenTransformer, config)
    return dict(
        architectures=['LDMBertModel'],
        **LDMBERT.write(args, 'model_type', 'activation_function'),
        encoder_ffn_dim=4 * config['embed_dim'],
        dropout=0.0,
        pad_token_id=0,
    )


def text_encoder_from_diffusers_config(
    theirs: Mapping[str, Any], tokenizer: str
) -> dict[str, Any]:
    """The config of our ``TextEncoder`` for a ``CLIPTextModel``.

    Args:
        theirs: Config of the ``CLIPTextModel``.
        tokenizer: Folder or name of its tokenizer.

    Raises:
        ValueError: If it is another network.
    """
    given = CLIP.read('CLIPTextModel.', theirs)
    return dict(
        type='TextEncoder',
        config=given.ours.get('config', {}),
        tokenizer=tokenizer,
        max_length=given.get('max_position_embeddings', 77),
    )


def text_encoder_to_diffusers_config(
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """The config of the ``CLIPTextModel`` for a ``TextEncoder``.

    Pipelines of diffusers read the last layer. If ours reads the layer
    before it, the last layer is left out.

    Raises:
        ValueError: If ``config`` does not describe the network.
    """
    return dict(
        architectures=['CLIPTextModel'],
        model_type=CLIP_KIND,
        **_read_layers(config)['config'],
    )


def _read_layers(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without layers of the network that are not read."""
    if 'config' not in config:
        raise ValueError(
            f'the TextEncoder has pretrained={config.get("pretrained")!r}, '
            'which is a CLIPTextModel of transformers as it stands: use that'
        )
    network = dict(config['config'])
    kind = network.pop('model_type', CLIP_KIND)
    if kind != CLIP_KIND:
        raise ValueError(
            f'the text encoder has model_type={kind!r}, which cannot be '
            f'converted as {CLIP_KIND!r}'
        )
    if config.get('layer') == 'penultimate':
        network['num_hidden_layers'] = network.get('num_hidden_layers', 12) - 1
    return dict(config) | dict(config=network, layer='last')


def transformer_to_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """All weights of an ``LDMBertModel``.

    The layer to the vocabulary, which is never used, is zeros if ours does
    not have it.
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
    """All weights of a ``CLIPTextModel``.

    Raises:
        ValueError: If ``config`` does not describe the network.
    """
    return CLIP_KEYS.write(weights, _read_layers(config))
