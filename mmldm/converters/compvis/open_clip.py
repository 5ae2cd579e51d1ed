"""OpenCLIP's text encoder, as in Stable Diffusion 2, with CLIP's names.

github.com/mlfoundations/open_clip; ``FrozenOpenCLIPEmbedder`` in
github.com/Stability-AI/stablediffusion.
"""

from collections.abc import Mapping

from torch import Tensor

from ..transformer_names import COMPARISON

# Parts of names there, and in transformers.
NAMES = {
    'token_embedding.': 'embeddings.token_embedding.',
    'positional_embedding': 'embeddings.position_embedding.weight',
    'ln_final.': 'final_layer_norm.',
    'transformer.resblocks.': 'encoder.layers.',
    '.ln_1.': '.layer_norm1.',
    '.ln_2.': '.layer_norm2.',
    '.mlp.c_fc.': '.mlp.fc1.',
    '.mlp.c_proj.': '.mlp.fc2.',
    '.attn.out_proj.': '.self_attn.out_proj.',
}
START, LAYERS = 'model.', 'model.transformer.resblocks.'
TOKENS = f'{START}token_embedding.weight'
JOINED = '.attn.in_proj_'
UNUSED = {
    'model.text_projection': COMPARISON,
    'model.logit_scale': COMPARISON,
    'model.attn_mask': 'the mask of later tokens',
}


def is_open_clip(weights: Mapping[str, Tensor]) -> bool:
    """Whether the weights of a text encoder have OpenCLIP's names."""
    return TOKENS in weights


def open_clip_to_clip(
    weights: Mapping[str, Tensor], num_layers: int
) -> dict[str, Tensor]:
    """Weights with the names of transformers.

    Args:
        weights: Weights by OpenCLIP's names, after ``model.``.
        num_layers: Layers that are read; weights of the others are left out.
    """
    found = {}
    for name, weight in weights.items():
        if name in UNUSED or _layer(name) >= num_layers:
            continue
        usual = name.removeprefix(START)
        for theirs, ours in NAMES.items():
            usual = usual.replace(theirs, ours)
        if JOINED not in usual:
            found[usual] = weight
            continue
        for part, rows in zip('qkv', weight.chunk(3), strict=True):
            found[usual.replace(JOINED, f'.self_attn.{part}_proj.')] = rows
    return found


def _layer(name: str) -> int:
    """Number of the layer of a weight; -1 for other weights."""
    rest = name.removeprefix(LAYERS)
    number = rest.split('.')[0]
    return int(number) if rest != name and number.isdecimal() else -1
