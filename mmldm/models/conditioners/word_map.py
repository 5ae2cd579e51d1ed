"""Captions as maps."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils import check_count
from mmldm.utils.devices import to_device
from mmldm.utils.typing import SampleList

from .embedder import Embedder, Encode
from .word_tokens import WordTokens


@MODELS.register_module()
class WordMap(Embedder):
    """The sum of a caption's words, each with a map of its own; null is zeros.

    A word's map has the size of a latent, and starts at zero. With
    ``input_skip`` of the UNet, it can become what images of the word have in
    common. A word that names one image thus learns this image sooner than a
    network learns to make it from a vector. The order of words has no effect
    here: add a :class:`TokenTransformer`.

    Args:
        vocab: See :class:`WordTokens`.
        max_length: See :class:`WordTokens`.
        latent_channels: Channels of the map.
        num_stages: How many times height and width of an image are halved to
            reach the size of the latent.
        side: Height and width of the learned maps, those of the latents in
            training. Maps for other latents are interpolated.
    """

    slot = 'spatial'
    reads = ('caption',)

    def __init__(
        self,
        vocab: Sequence[str],
        max_length: int,
        latent_channels: int,
        num_stages: int,
        side: int,
    ) -> None:
        super().__init__()
        check_count('WordMap.latent_channels', latent_channels)
        check_count('WordMap.side', side)
        self.tokenizer = WordTokens(vocab, max_length)
        self.dim = latent_channels
        self.factor = 2**num_stages
        self.shape = latent_channels, side, side
        self.word_maps = nn.Embedding(
            self.tokenizer.vocab_size, latent_channels * side**2, padding_idx=0
        )
        nn.init.zeros_(self.word_maps.weight)

    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """The map of a batch, (B, latent_channels, h, w).

        Args:
            data_samples: Each has an ``img_shape`` (H, W), the same for all,
                and, where it is not dropped, a ``caption``.
            drop: See :class:`Embedder`.
            encode: Not used.

        Raises:
            ValueError: If a field is missing, or a word is unknown.
        """
        ids = self.tokenizer(data_samples, drop)
        ids = to_device(ids, self.word_maps.weight.device)
        maps = self.word_maps(ids).sum(1).unflatten(1, self.shape)
        sides = data_samples[0].require('img_shape', 'WordMap')[:2]
        size = tuple(-(-side // self.factor) for side in sides)
        if size == self.shape[1:]:
            return maps
        return F.interpolate(maps, size, mode='bilinear', antialias=True)
