"""Classes of the UNets of diffusers, added to the time embedding.

In diffusers, their embedding has as many channels as the time embedding. Ours
has any number, and a linear layer. The product of both is the former.
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
        embedder: Name of the class embedder in the model.
        rows: Number of its rows; 'class_labels' of diffusers are below it.
        null: The row that means 'no class', or None.
    """

    embedder: str
    rows: int
    null: int | None

    @property
    def config(self) -> dict[str, Any]:
        """The keys of the UNet in diffusers."""
        return dict(num_class_embeds=self.rows)

    def weights(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The class embedding in diffusers.

        Args:
            weights: All weights of a ``LatentDiffusion``, by name.
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
        """How to use the classes in diffusers."""
        null = '' if self.null is None else f'; {self.null} is no class'
        return f'Classes are class_labels of the unet{null}'


def vector_classes(config: Mapping[str, Any]) -> VectorClasses | None:
    """The classes of a model whose vector holds only classes, or None.

    Args:
        config: Config of ``LatentDiffusion``.
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
        return None  # other embedders fill the vector as well
    built = ClassEmbedder(**{k: v for k, v in embedder.items() if k != 'type'})
    return VectorClasses(
        f'conditioner.embedders.{i}.embedding',
        len(built.embedding.weight),
        built.null,
    )
