"""All networks and editors; importing it fills the registry MODELS."""

from . import (  # noqa: F401
    autoencoders,
    classifiers,
    conditioners,
    data_preprocessors,
    denoisers,
    editors,
    feature_networks,
    losses,
)
