from .adaptive_transformer import (
    FEED_FORWARDS,
    AdaptiveBlock,
    AdaptiveOutput,
    GridAttention,
    xavier_init,
)
from .attention import CrossAttention, SelfAttention2d, SpatialTransformer
from .compiling import compilable_blocks, compile_blocks, compiled_copy
from .embeddings import TimeEmbedding, sinusoidal_embedding
from .input_skip import InputSkip
from .patches import patchify, unpatchify
from .positions import rotary_turns, sine_positions
from .precision import Float32Conv2d, Float32Linear
from .quantizer import VectorQuantizer
from .resample import Downsample, Upsample, double, halve
from .resnet import ResBlock, group_norm, zero_init

__all__ = [
    'FEED_FORWARDS',
    'AdaptiveBlock',
    'AdaptiveOutput',
    'GridAttention',
    'InputSkip',
    'CrossAttention',
    'Downsample',
    'Float32Conv2d',
    'Float32Linear',
    'ResBlock',
    'SelfAttention2d',
    'SpatialTransformer',
    'TimeEmbedding',
    'Upsample',
    'VectorQuantizer',
    'compilable_blocks',
    'compile_blocks',
    'compiled_copy',
    'double',
    'group_norm',
    'halve',
    'patchify',
    'rotary_turns',
    'sine_positions',
    'sinusoidal_embedding',
    'unpatchify',
    'xavier_init',
    'zero_init',
]
