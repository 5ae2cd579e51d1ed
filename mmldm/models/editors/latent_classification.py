"""The editor that trains a classifier of noisy latents."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mmldm.diffusion import NoiseLevel, add_noise
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.utils import SampleRandom
from mmldm.utils.devices import to_device
from mmldm.utils.typing import ConfigType, SampleList

from .derived import CLASSIFIER, complete_classifier
from .editor import Editor
from .frozen_first_stage import FrozenFirstStage
from .training_latents import training_latents

# Fractions of the time axis at which predictions are made.
JUDGED = (0.0, 0.25, 0.5, 0.75)


@MODELS.register_module()
class LatentClassification(FrozenFirstStage, Editor):
    """Predicts labels of images from their latents at any noise level.

    Classifier guidance uses the result; Dhariwal & Nichol 2021, section 4
    (arXiv:2105.05233):

        log_prob = classifier_log_prob(classification.classify, labels)
        model.sample(samples, wrap=GradientGuidance(log_prob, scale=2.0))

    Args:
        classifier: Config of the network that learns. The arguments in
            :data:`CLASSIFIER` follow from the first stage.
        diffusion_scheduler: Config of the scheduler of the model to guide.
            Training takes its random times and noise from it.
        autoencoder: See ``LatentDiffusion``.
        autoencoder_checkpoint: See ``LatentDiffusion``.
        data_preprocessor: See :class:`Editor`.

    Raises:
        ValueError: If the parts do not fit each other.
    """

    averaged_parts = ('classifier',)
    compiled_parts = ('classifier', 'autoencoder')
    fills_in = {'classifier': CLASSIFIER}

    def __init__(
        self,
        classifier: ConfigType,
        diffusion_scheduler: ConfigType,
        autoencoder: ConfigType | None = None,
        autoencoder_checkpoint: str | None = None,
        data_preprocessor: ConfigType | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        self.init_first_stage(autoencoder, autoencoder_checkpoint)
        self.classifier = MODELS.build(
            complete_classifier(classifier, self.autoencoder)
        )
        self.diffusion_scheduler = DIFFUSION_SCHEDULERS.build(
            diffusion_scheduler
        )
        latent = self.autoencoder.latent_channels
        if self.classifier.in_channels != latent:
            raise ValueError(
                f'classifier.in_channels={self.classifier.in_channels}, but '
                f'the autoencoder yields {latent} latent channels: set '
                f'classifier.in_channels={latent}'
            )

    def loss(
        self,
        inputs: Tensor | None,
        data_samples: SampleList,
        iteration: int = 0,
    ) -> dict:
        """``loss_classify`` (), the cross-entropy, and ``accuracy`` ().

        Args:
            inputs: Images in [-1, 1], (B, 3, H, W); None if the data samples
                have ``latent_moments``, from a cache.
            data_samples: Labels and random addresses.
            iteration: Not used.
        """
        random = SampleRandom.of(data_samples)
        z_0 = self._encode(inputs, data_samples, random)
        level = self.diffusion_scheduler.sample_level(random)
        noise = self.diffusion_scheduler.draw_noise(random, z_0)
        logits = self.classify(add_noise(z_0, noise, level), level)
        labels = to_device(self._labels(data_samples), logits.device)
        return dict(
            loss_classify=F.cross_entropy(logits, labels),
            accuracy=(logits.argmax(1) == labels).float().mean(),
        )

    def trivial_losses(self, inputs: Tensor) -> dict[str, float]:
        """``loss_classify`` of equal chances; see :class:`Editor`."""
        return dict(loss_classify=math.log(self.classifier.num_classes))

    @torch.no_grad()
    def predict(
        self, inputs: Tensor | None, data_samples: SampleList
    ) -> SampleList:
        """The data samples with ``pred_labels``, one for each noise level.

        Args:
            inputs: Images in [-1, 1], (B, 3, H, W).
            data_samples: Random addresses.
        """
        random = SampleRandom.of(data_samples)
        z_0 = self._encode(inputs, data_samples, random)
        noise = self.diffusion_scheduler.draw_noise(random, z_0)
        schedule = self.diffusion_scheduler.noise_schedule
        for sample in data_samples:
            sample.pred_labels = {}
        for share in JUDGED:
            level = schedule(schedule.timestep(torch.tensor(share)))
            logits = self.classify(add_noise(z_0, noise, level), level)
            for sample, label in zip(
                data_samples, logits.argmax(1).tolist(), strict=True
            ):
                sample.pred_labels[f't_{float(level.t):g}'] = label
        return data_samples

    def classify(self, z_t: Tensor, level: NoiseLevel) -> Tensor:
        """Logits (B, num_classes), float32.

        Args:
            z_t: Noisy latents, (B, C, h, w).
            level: Noise level of ``z_t``, shape () or (B,).
        """
        z_t, t = self.diffusion_scheduler.network_input(z_t, level)
        return self.classifier(z_t, t).float()

    def _encode(
        self,
        inputs: Tensor | None,
        data_samples: SampleList,
        random: SampleRandom,
    ) -> Tensor:
        posterior = random.normal('posterior')
        return training_latents(
            self.autoencoder, inputs, data_samples, posterior
        )

    def _labels(self, data_samples: SampleList) -> Tensor:
        """Labels of the samples, (B,) int64.

        Raises:
            ValueError: If a label is missing or out of range.
        """
        labels = [sample.label for sample in data_samples]
        count = self.classifier.num_classes
        for label in labels:
            if not 0 <= label < count:
                raise ValueError(
                    f'label {label} is not in [0, {count}): set '
                    'classifier.num_classes to the number of classes of the '
                    'data'
                )
        return torch.tensor(labels)
