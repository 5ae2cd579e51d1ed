"""Classes as the UNets of diffusers take them: added to the time embedding.

There an embedding of as many channels as that of time; here one of any
dimension, and a linear layer. Their product is the former.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from mmldm.models.conditioners import ClassEmbedder

from .levels import arguments

WEIGHT = 'class_embedding.weight'


class VectorClasses(NamedTuple):
    """The classes that fill the vector of a condition.

    Attributes:
        embedder: Name of their embedding in the model.
        rows: Of the embedding: 'class_labels' there are below this.
        null: The row that is 'no class', or None.
    """

    embedder: str
    rows: int
    null: int | None

    @property
    def config(self) -> dict[str, Any]:
        """Keys of the UNet there."""
        return dict(num_class_embeds=self.rows)

    def weights(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The embedding there.

        Args:
            weights: All of a ``LatentDiffusion``, by name.
        """
        embedding, layer, bias = (
            weights[name].double()
            for name in (
                f'{self.embedder}.weight',
                'denoiser.vector_embed.weight',
                'denoiser.vector_embed.bias',
            )
        )
        kind = weights['denoiser.vector_embed.weight'].dtype
        return {WEIGHT: (embedding @ layer.T + bias).to(kind)}

    @property
    def note(self) -> str:
        """How they are used, in words."""
        null = '' if self.null is None else f'; {self.null} is no class'
        return f'Classes are class_labels of the unet{null}'


def vector_classes(config: Mapping[str, Any]) -> VectorClasses | None:
    """The classes of a model whose vector is nothing else.

    Args:
        config: Of ``LatentDiffusion``.
    """
    embedders = [
        (i, arguments(ClassEmbedder, embedder))
        for i, embedder in enumerate(
            config['conditioner'].get('embedders') or ()
        )
        if embedder['type'] == 'ClassEmbedder'
    ]
    filling = [(i, e) for i, e in embedders if e['slot'] == 'vector']
    if len(filling) != 1:
        return None
    ((i, embedder),) = filling
    if embedder['embed_dim'] != config['denoiser'].get('vector_dim'):
        return None  # others fill it as well
    built = ClassEmbedder(**{k: v for k, v in embedder.items() if k != 'type'})
    return VectorClasses(
        f'conditioner.embedders.{i}.embedding',
        len(built.embedding.weight),
        built.null,
    )
