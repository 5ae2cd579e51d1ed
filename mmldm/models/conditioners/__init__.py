from .class_embedder import ClassEmbedder
from .conditioner import Conditioner
from .embedder import Embedder, Encode

__all__ = ['ClassEmbedder', 'Conditioner', 'Embedder', 'Encode']
