"""mmldm: latent diffusion models as an OpenMMLab-style toolbox."""

from . import compat
from .version import __version__

compat.prepare_numpy()
compat.warn_about_versions()
compat.register_package()
compat.find_own_configs()

__all__ = ['__version__']
