from .latent_classifier import LatentClassifier

__all__ = ['LatentClassifier']
