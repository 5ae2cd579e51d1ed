"""Text encoders of Stable Diffusion 1 and 2.

``FrozenCLIPEmbedder`` of github.com/CompVis/stable-diffusion at 21f890f, and
``FrozenOpenCLIPEmbedder`` of github.com/Stability-AI/stablediffusion at
cf1d67a. Checkpoints do not describe their networks.
"""

from typing import Any

from ..key_table import Given, Key, fixed, ignored
from ..kinds import COUNT, DICT, one_of
from .condition_slots import Reading, Surroundings
from .params import MODULES, table

CLIP = 'openai/clip-vit-large-patch14'
CLIP_NETWORK = dict(
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
# That of OpenCLIP ViT-H/14, in Stable Diffusion 2.
OPEN_CLIP_NETWORK = CLIP_NETWORK | dict(
    hidden_size=1024,
    intermediate_size=4096,
    num_hidden_layers=24,
    num_attention_heads=16,
    hidden_act='gelu',
)


def _clip(given: Given, slot: str, around: Surroundings) -> Reading:
    """The text encoder of Stable Diffusion 1."""
    return _text_encoder(given, {**CLIP_NETWORK, **given['network']})


def _open_clip(given: Given, slot: str, around: Surroundings) -> Reading:
    """The text encoder of Stable Diffusion 2; unread layers are left out."""
    network = {**OPEN_CLIP_NETWORK, **given['network']}
    network['num_hidden_layers'] -= given['layer'] == 'penultimate'
    return _text_encoder(given, network, pad_id=0)


def _text_encoder(
    given: Given, network: dict[str, Any], **options: Any
) -> Reading:
    config = dict(type='TextEncoder', tokenizer=CLIP, **options, **given.ours)
    config['config'] = network
    return Reading(config, 'tokens', network['hidden_size'], 7.5)


KEYS = (
    Key('max_length', 'max_length', COUNT, 77),
    # In no yaml file; see text_shapes.py.
    Key('network', '', DICT, {}),
    *ignored('device freeze'),
)
CLIP_READERS = {
    f'{MODULES}FrozenCLIPEmbedder': (
        table(*KEYS, *fixed({'version': CLIP})),
        _clip,
    ),
    f'{MODULES}FrozenOpenCLIPEmbedder': (
        table(
            *KEYS,
            Key('layer', '', one_of('last', 'penultimate'), 'last'),
            *fixed({'arch': 'ViT-H-14', 'version': 'laion2b_s32b_b79k'}),
        ),
        _open_clip,
    ),
}
