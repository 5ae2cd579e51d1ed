"""Text encoders in folders of diffusers: configs and weights, both ways.

``LDMBertModel`` of diffusers 0.42 is our ``TokenTransformer``, transformers'
``CLIPTextModel`` our ``TextEncoder``. Configs are the content of their
``config.json``.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..pairs import Pair, check_weights, to_ours, to_theirs, without_memory
from ..transformer_pairs import Dialect, from_dialect, to_dialect
from .kinds import check_kinds
from .weights import REMEDY

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
# Around the network in files of transformers before 5, and a count that very
# old ones have.
SHELL = 'text_model.'
COUNT = 'embeddings.position_ids'


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


def transformer_from_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Weights of an ``LDMBertModel`` under our names.

    Args:
        weights: By name there.
        config: As of :func:`transformer_from_diffusers_config`.

    Raises:
        ValueError: If any weight is missing, of another shape or not known;
            theirs and ours are named.
    """
    return from_dialect(weights, config, DIFFUSERS)


def transformer_to_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The way back: all that an ``LDMBertModel`` loads.

    Args:
        weights: Of a ``TokenTransformer`` that was built from ``config``.
        config: See :func:`transformer_to_diffusers_config`.
    """
    return to_dialect(weights, config, DIFFUSERS)


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


def text_encoder_from_diffusers(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Weights of a ``CLIPTextModel`` under our names.

    Args:
        weights: By name there, as any release of transformers stores them.
        config: As of :func:`text_encoder_from_diffusers_config`.

    Raises:
        ValueError: If any weight is missing, of another shape or not known;
            theirs and ours are named.
    """
    found = {n.removeprefix(SHELL): w for n, w in weights.items()}
    found.pop(COUNT, None)
    pairs = _clip_pairs(config)
    check_weights(found, pairs, remedy=REMEDY)
    return to_ours(found, pairs)


def text_encoder_to_diffusers(
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
    prefix: str = SHELL,
) -> dict[str, Tensor]:
    """The way back: all that a ``CLIPTextModel`` loads.

    Args:
        weights: Of a ``TextEncoder`` that was built from ``config``.
        config: See :func:`text_encoder_to_diffusers_config`.
        prefix: Of the names: that of transformers before 5, which all
            releases read; '' for the one that 5 has.

    Raises:
        ValueError: If ``config`` does not describe the network.
    """
    theirs = to_theirs(weights, _clip_pairs(_read_layers(config)))
    return {prefix + name: weight for name, weight in theirs.items()}


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


def _clip_pairs(config: Mapping[str, Any]) -> list[Pair]:
    """Every weight of the ``TextEncoder``, and its name in transformers 5."""
    names = without_memory(config).named_parameters()
    return [
        Pair(n, tuple(w.shape), (n.removeprefix('network.'),), tuple(w.shape))
        for n, w in names
    ]


LAYER = 'model.layers.{}.{}'
DIFFUSERS = Dialect(
    outer={
        'token_embed': 'model.embed_tokens',
        'position_embed': 'model.embed_positions',
        'norm': 'model.layer_norm',
        'to_logits': 'to_logits',
    },
    inner={
        'norm1': lambda i: LAYER.format(i, 'self_attn_layer_norm'),
        'attn.to_q': lambda i: LAYER.format(i, 'self_attn.q_proj'),
        'attn.to_k': lambda i: LAYER.format(i, 'self_attn.k_proj'),
        'attn.to_v': lambda i: LAYER.format(i, 'self_attn.v_proj'),
        'attn.to_out': lambda i: LAYER.format(i, 'self_attn.out_proj'),
        'norm2': lambda i: LAYER.format(i, 'final_layer_norm'),
        'feed_forward.0': lambda i: LAYER.format(i, 'fc1'),
        'feed_forward.2': lambda i: LAYER.format(i, 'fc2'),
    },
    remedy=REMEDY,
)
