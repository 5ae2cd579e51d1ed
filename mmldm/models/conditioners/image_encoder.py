"""Images as tokens, by a frozen pretrained encoder."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.devices import to_device
from mmldm.utils.pixels import clip_pixels
from mmldm.utils.typing import ConfigType, SampleList

from .embedder import Encode
from .frozen_network import FrozenNetwork


@MODELS.register_module()
class ImageEncoder(FrozenNetwork):
    """The images ``ref_imgs`` as CLIP embeddings; null is zeros.

    Each image becomes one token of norm 1, which holds what it shows but not
    where. Variations of an image need this, and retrieval-augmented models for
    neighbours (Blattmann et al. 2022, arXiv:2204.11824). Images are scaled,
    cropped and normalised as in CLIP's training. The network is never trained;
    it is stored as described for :class:`FrozenNetwork`.

    Args:
        config: Arguments of transformers' ``CLIPVisionConfig``.
        pretrained: Folder of a CLIP model or of its vision model with
            projection, or name on huggingface.co.

    Raises:
        ValueError: If both or none of ``config`` and ``pretrained`` is given,
            or the network is not available or of another kind.
    """

    slot = 'tokens'
    reads = ('ref_imgs',)
    what = 'a vision model of CLIP'
    model_type = 'clip_vision_model'
    sub_config = 'vision_config'

    def __init__(
        self,
        config: ConfigType | None = None,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        self.init_network(config, pretrained)
        self.dim = self.network.visual_projection.out_features

    @staticmethod
    def network_class(config: Any) -> type | None:
        """See :class:`FrozenNetwork`."""
        from transformers import (
            CLIPVisionConfig,
            CLIPVisionModelWithProjection,
        )

        fits = isinstance(config, CLIPVisionConfig)
        return CLIPVisionModelWithProjection if fits else None

    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """Embeddings as tokens, (B, K, C).

        Args:
            data_samples: Each has K ``ref_imgs``, dropped or not.
            drop: See :class:`Embedder`.
            encode: Not used.

        Raises:
            ValueError: If images are missing, have another type, or differ in
                number between samples.
        """
        rows = [self._images(sample) for sample in data_samples]
        numbers = sorted({len(row) for row in rows})
        if len(numbers) > 1:
            raise ValueError(
                f'samples of one batch have {numbers} ref_imgs: give the '
                'same number to each'
            )
        tokens = self.embed([image for row in rows for image in row])
        keep = to_device(~drop[:, None, None], tokens.device)
        return tokens.unflatten(0, (len(rows), -1)) * keep

    @torch.no_grad()
    def embed(self, images: Sequence[np.ndarray]) -> Tensor:
        """Embeddings of images, (N, C), of norm 1.

        Args:
            images: uint8 RGB (H, W, 3), of any sizes.
        """
        size = self.network.config.image_size
        pixels = torch.stack([clip_pixels(image, size) for image in images])
        pixels = to_device(pixels, self.device, self.dtype)
        embeds = self.network(pixels).image_embeds
        return F.normalize(embeds.float(), dim=-1).to(self.dtype)

    @staticmethod
    def _images(sample: LDMDataSample) -> list[np.ndarray]:
        """The ``ref_imgs`` of a sample, each (H, W, 3)."""
        images = sample.require('ref_imgs', 'ImageEncoder')
        if not len(images):
            raise ValueError(f'{sample.name} has no image in its ref_imgs')
        for image in images:
            kind, shape = image.dtype, tuple(image.shape)
            if kind != torch.uint8 or len(shape) != 3 or shape[0] != 3:
                raise ValueError(
                    f'ref_imgs of {sample.name} has one of {kind} and shape '
                    f'{shape}, but must hold uint8 RGB images (3, H, W)'
                )
        return [image.permute(1, 2, 0).cpu().numpy() for image in images]
