"""A term of the training loss besides the denoising error."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from mmengine.model import BaseModule
from torch import Tensor

from mmldm.diffusion import NoiseLevel
from mmldm.structures import Condition
from mmldm.utils import SampleRandom
from mmldm.utils.typing import SampleList


@dataclass(frozen=True)
class TrainingStep:
    """What one training step of a latent diffusion model has computed.

    Args:
        inputs: Images in [-1, 1], (B, 3, H, W).
        data_samples: What the conditions were made of.
        random: Random numbers of each sample.
        z_0: Clean latents, (B, C, h, w).
        noise: The noise added to them, (B, C, h, w).
        level: The level it was added at, (B,).
        z_t: Noisy latents, (B, C, h, w).
        cond: The denoiser's condition.
        out: The denoiser's output, float32.
        hidden: Outputs of those modules of the denoiser that a term reads,
            by the module's name.
        iteration: Iterations that the training loop has done.
    """

    inputs: Tensor
    data_samples: SampleList
    random: SampleRandom
    z_0: Tensor
    noise: Tensor
    level: NoiseLevel
    z_t: Tensor
    cond: Condition
    out: Tensor
    hidden: Mapping[str, Tensor]
    iteration: int


class ExtraLoss(BaseModule):
    """Terms of ``LatentDiffusion``'s training loss, besides its own.

    Its weights train with the model's, are not averaged, and no model that
    only samples has them. A network that it keeps frozen is a
    ``FrozenPart``, as in *Representation Alignment*, Yu et al. 2024
    (arXiv:2410.06940), whose teacher sees the clean image.

    Attributes:
        layers: Modules of the denoiser whose outputs it reads, by name, such
            as 'mid.0'.
    """

    layers: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, step: TrainingStep) -> Mapping[str, Tensor]:
        """Terms of shape (), weighted, by name: logged as ``loss_<name>``."""
