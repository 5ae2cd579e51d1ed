from .inferencer import LatentDiffusionInferencer
from .requests import Request

__all__ = ['LatentDiffusionInferencer', 'Request']
