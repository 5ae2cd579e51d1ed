from .class_embedder import ClassEmbedder
from .conditioner import Conditioner

__all__ = ['ClassEmbedder', 'Conditioner']
