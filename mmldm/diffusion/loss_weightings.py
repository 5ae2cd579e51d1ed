"""How much the error at each noise level counts.

``(level, prediction) -> (B,)``, the weight of the *output's* squared error.
"""

from torch import Tensor

from mmldm.registry import DIFFUSION_SCHEDULERS
from mmldm.utils import check_positive

from .functional import NoiseLevel
from .predictions import Prediction


@DIFFUSION_SCHEDULERS.register_module()
class UniformWeighting:
    """All levels count the same: the simple loss of Ho et al. 2020."""

    def __call__(self, level: NoiseLevel, prediction: Prediction) -> Tensor:
        return level.alpha.new_ones(level.alpha.shape)


@DIFFUSION_SCHEDULERS.register_module()
class MinSNRWeighting:
    """min(snr, gamma) on the clean latent's error; Hang et al. 2023, 3.4.

    arXiv:2303.09556; caps the pull of nearly clean samples.

    Args:
        gamma: SNR above which all samples count the same, > 0.
    """

    def __init__(self, gamma: float = 5.0) -> None:
        check_positive('gamma', gamma)
        self.gamma = gamma

    def __call__(self, level: NoiseLevel, prediction: Prediction) -> Tensor:
        return level.snr.clamp(max=self.gamma) * prediction.z_0_error_scale(
            level
        )
