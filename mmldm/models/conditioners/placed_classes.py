"""The base class of embedders that map classes to latent positions."""

from mmldm.utils import check_count

from .embedder import Embedder


class PlacedClasses(Embedder):
    """Classes at each position of the latent, mapped to few channels.

    Args:
        num_classes: Classes are in [0, num_classes).
        num_stages: How many times height and width of an image are halved to
            reach the size of the latent.
        embed_dim: Channels of the condition.
    """

    slot = 'spatial'

    def __init__(
        self, num_classes: int, num_stages: int, embed_dim: int
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_count(f'{name}.num_classes', num_classes)
        check_count(f'{name}.embed_dim', embed_dim)
        self.num_classes = num_classes
        self.factor = 2**num_stages
        self.dim = embed_dim
