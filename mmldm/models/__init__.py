"""Everything with weights; importing it fills the MODELS registry."""

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
