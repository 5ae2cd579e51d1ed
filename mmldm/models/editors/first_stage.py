"""The editor that trains autoencoders."""

import torch
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils import Draws
from mmldm.utils.typing import ConfigType, SampleList

from ..data_preprocessors.ldm_data_preprocessor import to_images
from .editor import Editor


@MODELS.register_module()
class FirstStage(Editor):
    """Trains a KL-regularised autoencoder; Rombach et al. 2022, app. G.

    Args:
        autoencoder: What is trained.
        kl_weight: Weight of the KL divergence. Both terms are divided by
            the number of pixel values, so that it means what it means in
            the paper, 1e-6.
        data_preprocessor: See :class:`Editor`.
    """

    def __init__(
        self,
        autoencoder: ConfigType,
        kl_weight: float = 1e-6,
        data_preprocessor: ConfigType | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        if kl_weight < 0:
            raise ValueError(f'kl_weight={kl_weight} must be >= 0')
        self.autoencoder = MODELS.build(autoencoder)
        self.kl_weight = kl_weight

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict:
        """``loss_rec``, the mean absolute error, and ``loss_kl``.

        Args:
            inputs: Images in [-1, 1], (B, 3, H, W).
            data_samples: Addresses of what is drawn.
        """
        draws = Draws.of(data_samples)
        posterior = self.autoencoder.posterior(inputs)
        z = posterior.sample(draws.normal('posterior'))
        x = self.autoencoder.decode_raw(z)
        # float32: under autocast the output has 8 bits of mantissa.
        error = (x.float() - inputs).abs().mean()
        kl = posterior.kl().mean() / inputs[0].numel()
        return dict(loss_rec=error, loss_kl=self.kl_weight * kl)

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """The data samples with ``gt_img`` and its reconstruction.

        Both are uint8 RGB (3, H, W); the latter, ``pred_img``, is decoded
        from the posterior's mode.
        """
        x = self.autoencoder.decode(self.autoencoder.encode(inputs))
        pairs = zip(data_samples, to_images(inputs), to_images(x), strict=True)
        for sample, image, reconstruction in pairs:
            sample.gt_img = image
            sample.pred_img = reconstruction
        return data_samples
