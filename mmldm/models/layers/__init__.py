from .attention import CrossAttention, SelfAttention2d, SpatialTransformer
from .bypass import Bypass
from .embeddings import TimeEmbedding, sinusoidal_embedding
from .precision import Float32Conv2d, Float32Linear
from .quantizer import VectorQuantizer
from .resample import Downsample, Upsample, double, halve
from .resnet import ResBlock, group_norm, zero_init

__all__ = [
    'Bypass',
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
    'double',
    'group_norm',
    'halve',
    'sinusoidal_embedding',
    'zero_init',
]
