"""A model that samples otherwise, without a change of the model."""

import copy
from typing import Self

from mmldm.diffusion import Sampling


class OtherSampling:
    """Mix-in of ``LatentDiffusion``: settings for one call."""

    def sampling_by(self, sampling: Sampling) -> Self:
        """This model, but for how it samples; all weights are shared.

        The model itself stays as it is, so that calls with different
        settings may run at the same time.

        Raises:
            ValueError: If the settings do not suit the model.
        """
        view = copy.copy(self)
        view.diffusion_scheduler = sampling.applied(self.diffusion_scheduler)
        if sampling.windows is not None:
            view.windows = sampling.windows
        if sampling.guidance is not None:
            view.guidance = sampling.guidance
            view.check_guidance()
        if sampling.tile_size is not None:
            view._modules = dict(self._modules)
            view.autoencoder = copy.copy(self.autoencoder)
            view.autoencoder.tile_size = sampling.tile_size
        return view
