"""All networks and editors; importing it fills the registry MODELS."""

from . import (  # noqa: F401
    adapters,
    autoencoders,
    classifiers,
    conditioners,
    data_preprocessors,
    denoisers,
    editors,
    feature_networks,
    losses,
)
