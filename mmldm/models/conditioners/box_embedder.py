"""Layouts with boxes of any place and size, as tokens."""

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils import check_count
from mmldm.utils.devices import to_device
from mmldm.utils.typing import SampleList

from .dropping import unless_dropped
from .embedder import Embedder, Encode
from .layouts import Corners, corners, read_layout, shown_layout

# Ratio of two frequencies: the one that would follow the highest, and the
# lowest, 1 radian per image. It is that of the authors' code.
FREQUENCY_SPAN = 100
# Stands for a missing object in the computation; its result is not used.
NOTHING = (0, (0.0, 0.0, 0.0, 0.0))


@MODELS.register_module()
class BoxEmbedder(Embedder):
    """One token for each object, from its class and box; null is no object.

    A token is an MLP of the class's embedding and of sines and cosines of the
    box's corners, which differ for any two boxes. These are the grounding
    tokens of Li et al. 2023, eq. 5 (arXiv:2301.07093), with a class instead
    of a phrase. A learned token stands for a missing object. Tokens are in
    the order of the objects, which does not matter to attention.

    Args:
        num_classes: Classes are in [0, num_classes).
        embed_dim: Channels of the tokens.
        max_objects: Most objects of an image; fewer are padded to it.
        num_frequencies: Number of frequencies for each coordinate, in
            radians per image: 100^(k / num_frequencies), k = 0, 1, ...
        hidden_dim: Channels within the MLP.
    """

    slot = 'tokens'
    reads = ('layout',)

    def __init__(
        self,
        num_classes: int,
        embed_dim: int,
        max_objects: int = 30,
        num_frequencies: int = 8,
        hidden_dim: int = 512,
    ) -> None:
        super().__init__()
        for key, value in (
            ('num_classes', num_classes),
            ('embed_dim', embed_dim),
            ('max_objects', max_objects),
            ('num_frequencies', num_frequencies),
            ('hidden_dim', hidden_dim),
        ):
            check_count(f'BoxEmbedder.{key}', value)
        self.num_classes = num_classes
        self.dim = embed_dim
        self.max_objects = max_objects
        self.num_frequencies = num_frequencies
        self.class_embed = nn.Embedding(num_classes, embed_dim)
        # Each of the four coordinates has sines and cosines.
        self.mlp = nn.Sequential(
            nn.Linear(embed_dim + 8 * num_frequencies, hidden_dim),
            nn.SiLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.SiLU(),
            nn.Linear(hidden_dim, embed_dim),
        )
        self.null = nn.Parameter(torch.zeros(embed_dim))

    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """Tokens of objects, (B, max_objects, embed_dim).

        Args:
            data_samples: Each has a ``layout`` where it is not dropped.
            drop: See :class:`Embedder`.
            encode: Not used.

        Raises:
            ValueError: If a layout is missing or wrong.
        """
        layouts = unless_dropped(self._layout, data_samples, drop, [])
        counts = torch.tensor([len(layout) for layout in layouts])
        there = torch.arange(self.max_objects) < counts[:, None]
        padded = [
            layout + [NOTHING] * (self.max_objects - len(layout))
            for layout in layouts
        ]
        labels = torch.tensor([[label for label, _ in row] for row in padded])
        boxes = torch.tensor([[box for _, box in row] for row in padded])
        classes = self.class_embed(to_device(labels, self.device))
        boxes = self._fourier(boxes)
        places = to_device(boxes, self.device, classes.dtype)
        # Missing objects are computed too: in every batch, data parallelism
        # needs a gradient of every weight.
        tokens = self.mlp(torch.cat([classes, places], dim=-1))
        there = to_device(there[..., None], self.device)
        return torch.where(there, tokens, self.null)

    def _layout(self, sample: LDMDataSample) -> list[tuple[int, Corners]]:
        """Classes and corners of all objects."""
        objects = read_layout(
            sample, self.num_classes, 'BoxEmbedder', self.max_objects
        )
        return [
            (label, corners(box))
            for label, box in shown_layout(sample, objects)
        ]

    def _fourier(self, boxes: Tensor) -> Tensor:
        """(B, L, 4) -> (B, L, 8 num_frequencies), float32.

        Computed on the CPU, before the model's dtype applies: in bfloat16,
        coordinates have steps of 1/256 of an image.
        """
        powers = torch.arange(self.num_frequencies) / self.num_frequencies
        angles = boxes[..., None] * FREQUENCY_SPAN**powers
        return torch.stack([angles.sin(), angles.cos()], dim=-2).flatten(2)
