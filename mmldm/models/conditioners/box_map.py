"""Layouts as maps."""

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.devices import to_device
from mmldm.utils.typing import SampleList

from .dropping import unless_dropped
from .embedder import Encode
from .layouts import Box, corners, read_layout, shown_layout
from .placed_classes import PlacedClasses


@MODELS.register_module()
class BoxMap(PlacedClasses):
    """The classes whose boxes cover each latent position; null is zeros.

    The content of a position is a sum over its objects: each class embedding
    times the share of the position that the object's box covers. Boxes may
    have any place and number and may overlap. Layout tokens, in contrast, have
    to be located by attention, which a UNet without position embeddings learns
    slowly; this map has every class in its place.

    Args:
        num_classes: See :class:`PlacedClasses`.
        num_stages: See :class:`PlacedClasses`.
        embed_dim: See :class:`PlacedClasses`.
    """

    reads = ('layout',)

    def __init__(
        self, num_classes: int, num_stages: int, embed_dim: int
    ) -> None:
        super().__init__(num_classes, num_stages, embed_dim)
        self.class_embed = nn.Embedding(num_classes, embed_dim)

    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """The map of a batch, (B, embed_dim, h, w).

        h = ceil(H / 2^num_stages), w = ceil(W / 2^num_stages).

        Args:
            data_samples: Each has an ``img_shape`` (H, W), the same for all,
                and, where it is not dropped, a ``layout``.
            encode: Not used.

        Raises:
            ValueError: If a field is missing, or a layout is invalid.
        """
        layouts = unless_dropped(self._layout, data_samples, drop, [])
        maps = [
            self._map(*sample.require('img_shape', 'BoxMap')[:2], layout)
            for sample, layout in zip(data_samples, layouts, strict=True)
        ]
        # (B, H, W, classes): the product below gives every weight a gradient
        # for every batch, which data parallelism needs.
        weight = self.class_embed.weight
        shares = to_device(torch.stack(maps), weight.device, weight.dtype)
        return (shares @ self.class_embed.weight).permute(0, 3, 1, 2)

    def _layout(self, sample: LDMDataSample) -> list[tuple[int, Box]]:
        objects = read_layout(sample, self.num_classes, 'BoxMap')
        return shown_layout(sample, objects)

    def _map(
        self, height: int, width: int, layout: list[tuple[int, Box]]
    ) -> Tensor:
        """The share of each position that each class covers, on the CPU."""
        shape = [-(-side // self.factor) for side in (height, width)]
        shares = torch.zeros(*shape, self.num_classes)
        for label, box in layout:
            left, top, right, bottom = corners(box)
            rows = self._cover(top * height, bottom * height, shape[0])
            columns = self._cover(left * width, right * width, shape[1])
            shares[..., label] += rows[:, None] * columns
        return shares

    def _cover(self, start: float, end: float, count: int) -> Tensor:
        """The share of each of ``count`` positions between two pixels."""
        first = torch.arange(count, dtype=torch.float32)
        cover = (end / self.factor - first).clamp(max=1)
        return (cover - (start / self.factor - first).clamp(min=0)).clamp(0, 1)
