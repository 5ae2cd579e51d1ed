from .class_embedder import ClassEmbedder
from .conditioner import Conditioner
from .embedder import Embedder, Encode
from .token_transformer import TokenTransformer
from .tokenizers import BertTokens, GivenTokens, LayoutTokens, Tokenizer

__all__ = [
    'BertTokens',
    'ClassEmbedder',
    'Conditioner',
    'Embedder',
    'Encode',
    'GivenTokens',
    'LayoutTokens',
    'TokenTransformer',
    'Tokenizer',
]
