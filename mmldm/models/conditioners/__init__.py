from .box_embedder import BoxEmbedder
from .box_map import BoxMap
from .class_embedder import ClassEmbedder
from .conditioner import Conditioner
from .embedder import Embedder, Encode
from .image_encoder import ImageEncoder
from .precomputed_features import PrecomputedFeatures
from .pretrained_tokens import BertTokens
from .spatial_embedders import (
    FilledImage,
    LowResolution,
    MaskedImage,
    SemanticMap,
)
from .text_encoder import TextEncoder
from .token_transformer import TokenTransformer
from .tokenizers import LayoutTokens, PrecomputedTokens, Tokenizer
from .word_tokens import WordTokens

__all__ = [
    'BertTokens',
    'BoxEmbedder',
    'BoxMap',
    'ClassEmbedder',
    'Conditioner',
    'Embedder',
    'Encode',
    'FilledImage',
    'PrecomputedFeatures',
    'PrecomputedTokens',
    'ImageEncoder',
    'LayoutTokens',
    'LowResolution',
    'MaskedImage',
    'SemanticMap',
    'TextEncoder',
    'TokenTransformer',
    'Tokenizer',
    'WordTokens',
]
