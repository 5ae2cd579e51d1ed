"""Base class of additional terms of the training loss."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mmengine.model import BaseModule
from torch import Tensor

from mmldm.diffusion import DiffusionScheduler, NoiseLevel
from mmldm.structures import Condition
from mmldm.utils import SampleRandom
from mmldm.utils.typing import SampleList


@dataclass(frozen=True, kw_only=True)
class TrainingStep:
    """What a term of the loss may use of one training step.

    Args:
        decode: Decoder of the frozen first stage, from latents (B, C, h, w)
            to images of about [-1, 1]; gradients pass through it.
        scheduler: The diffusion process.
        inputs: Images in [-1, 1], (B, 3, H, W); None from a cache of latents.
        data_samples: Data samples with the conditions.
        random: Random numbers of each sample.
        z_0: Clean latents, (B, C, h, w).
        noise: Noise that was added to ``z_0``, (B, C, h, w).
        level: Noise level of ``z_t``, (B,).
        z_t: Noisy latents, (B, C, h, w).
        cond: Condition of the batch.
        out: Output of the denoiser, float32.
        hidden: Outputs of those modules of the denoiser that a term reads,
            by module name.
        iteration: Number of finished iterations of the training loop.
    """

    decode: Callable[[Tensor], Tensor]
    scheduler: DiffusionScheduler
    inputs: Tensor | None
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

    def estimate(self) -> Tensor:
        """The clean latents that the output implies, (B, C, h, w)."""
        return self.scheduler.to_z_0(self.out, self.z_t, self.level)


class ExtraLoss(BaseModule):
    """Additional terms of ``LatentDiffusion``'s training loss.

    Its weights are trained with the model's, but are not averaged, and a model
    that only samples does not have them. A frozen network inside it must have
    no parameters, as ``PretrainedFeatures``, or be a ``FrozenPart``, such as
    the teacher of *Representation Alignment*, Yu et al. 2024
    (arXiv:2410.06940), which sees the clean image.

    Attributes:
        layers: Names of modules of the denoiser whose outputs the term reads,
            such as 'mid.0'.
        decodes: Whether the term calls ``step.decode``: the first stage then
            stays in memory, also in a training from cached latents.
    """

    layers: tuple[str, ...] = ()
    decodes: bool = False

    @abstractmethod
    def forward(self, step: TrainingStep) -> Mapping[str, Tensor]:
        """Weighted terms of shape (), by name; logged as ``loss_<name>``."""
