"""Names of the parts of our text encoders in the other systems."""

from collections.abc import Callable

from torch import Tensor

from mmldm.models.conditioners import TextEncoder, TokenTransformer

from .key_mapping import JSON, KeyMapping, Weights

# Parts of a ``TokenTransformer`` in the original's ``BERTEmbedder``, and in
# the ``LDMBertModel`` of diffusers.
OUTER = {
    'token_embed': ('transformer.token_emb', 'model.embed_tokens'),
    'position_embed': ('transformer.pos_emb.emb', 'model.embed_positions'),
    'norm': ('transformer.norm', 'model.layer_norm'),
    'to_logits': ('transformer.to_logits', 'to_logits'),
}
# Parts of a block. In the original, attention and feed-forward are layers of
# one list, each after its norm.
BLOCK = {
    'norm1': ('{even}.0', '{i}.self_attn_layer_norm'),
    'attn.to_q': ('{even}.1.to_q', '{i}.self_attn.q_proj'),
    'attn.to_k': ('{even}.1.to_k', '{i}.self_attn.k_proj'),
    'attn.to_v': ('{even}.1.to_v', '{i}.self_attn.v_proj'),
    'attn.to_out': ('{even}.1.to_out', '{i}.self_attn.out_proj'),
    'norm2': ('{odd}.0', '{i}.final_layer_norm'),
    'feed_forward.0': ('{odd}.1.net.0.0', '{i}.fc1'),
    'feed_forward.2': ('{odd}.1.net.2', '{i}.fc2'),
}
LISTS = 'transformer.attn_layers.layers', 'model.layers'
# Prefixes of a ``CLIPTextModel`` in the original and in files of transformers
# before 5.
SHELL = 'transformer.', 'text_model.'
# Weights of very old files, and those that compare texts with images.
COMPARISON = 'of the comparison of texts with images'
CLIP_UNUSED = {
    'embeddings.position_ids': 'the numbers 0, 1, 2 ...',
    'logit_scale': COMPARISON,
    'text_projection': COMPARISON,
    'text_projection.weight': COMPARISON,
}


def _names(system: int) -> Callable[[TokenTransformer], dict[str, str]]:
    def names(model: TokenTransformer) -> dict[str, str]:
        blocks = {
            f'blocks.{i}.{ours}': f'{LISTS[system]}.'
            + theirs[system].format(i=i, even=2 * i, odd=2 * i + 1)
            for i in range(len(model.blocks))
            for ours, theirs in BLOCK.items()
        }
        return {ours: names[system] for ours, names in OUTER.items()} | blocks

    return names


def _clip_names(model: TextEncoder) -> dict[str, str]:
    """Names of transformers before 5, which all versions read."""
    return {
        f'network.{name}': f'{SHELL[1]}{name}'
        for name, _ in model.network.named_children()
    }


def _clip_today(weights: Weights) -> dict[str, Tensor]:
    """Convert names of any version, and of the original, to these."""
    for start in SHELL:
        weights = {n.removeprefix(start): w for n, w in weights.items()}
    return {
        SHELL[1] + n: w for n, w in weights.items() if n not in CLIP_UNUSED
    }


BERT_KEYS = KeyMapping(_names(0))
LDMBERT_KEYS = KeyMapping(_names(1), remedy=JSON)
CLIP_KEYS = KeyMapping(_clip_names, today=_clip_today, remedy=JSON)
