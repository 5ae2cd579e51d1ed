"""The base class of all denoisers."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmldm.structures import Condition


class Denoiser(BaseModule):
    """Base class of the networks that predict noise or clean latents.

    It checks that inputs fit the network and concatenates a spatial condition
    with the latents. A subclass builds its layers and implements
    :meth:`denoise`.

    Args:
        in_channels: Channels of latents and spatial condition together.
        out_channels: Latent channels, or twice as many with variances.
        context_dim: Channels of the condition's tokens; None without tokens.
        vector_dim: Channels of the condition's vector; None without vector.
        checkpointing: Whether to recompute each block in the backward pass
            instead of storing its activations: less memory, a third more
            time (Chen et al. 2016, arXiv:1604.06174).
    """

    #: Height and width of all latents must be multiples of this.
    patch_size = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        context_dim: int | None = None,
        vector_dim: int | None = None,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.context_dim = context_dim
        self.vector_dim = vector_dim
        self.checkpointing = checkpointing

    def forward(self, z_t: Tensor, t: Tensor, cond: Condition) -> Tensor:
        """The network's output, (B, out_channels, h, w).

        Args:
            z_t: Noisy latents, (B, C, h, w). C and the channels of
                ``cond.spatial`` add up to in_channels.
            t: Times, (B,).
            cond: Condition of the batch.

        Raises:
            ValueError: If latents or condition do not fit the network.
        """
        self._check(z_t, cond)
        if cond.spatial is not None:
            z_t = torch.cat([z_t, cond.spatial], dim=1)
        return self.denoise(z_t, t, cond)

    @abstractmethod
    def denoise(self, x: Tensor, t: Tensor, cond: Condition) -> Tensor:
        """The output for checked inputs, (B, out_channels, h, w).

        Args:
            x: Noisy latents followed by the spatial condition,
                (B, in_channels, h, w).
            t: Times, (B,).
            cond: Condition with vector and tokens; its spatial part is in
                ``x``.
        """

    @property
    def shard_units(self) -> list[nn.Module]:
        """Modules whose weights several processes gather together.

        With ``ShardedModel``, a process holds all weights of a unit only
        while the unit runs. Each must be called as a module. The default is
        the list ``blocks``, if there is one.
        """
        return [*getattr(self, 'blocks', ())]

    def run_block(self, block: Callable[..., Tensor], *args: object) -> Tensor:
        """Call ``block(*args)``, with ``checkpointing`` if it is set."""
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(block, *args, use_reentrant=False)
        return block(*args)

    def _check(self, z_t: Tensor, cond: Condition) -> None:
        """Raise unless the filled slots are those that the network reads."""
        for slot, key in (('vector', 'vector_dim'), ('tokens', 'context_dim')):
            filled = getattr(cond, slot)
            given = None if filled is None else filled.shape[-1]
            if given != getattr(self, key):
                raise ValueError(
                    f'denoiser.{key}={getattr(self, key)}, but the '
                    f'condition has {slot} of dimension {given}: set '
                    f'denoiser.{key}={given}'
                )
        spatial = 0 if cond.spatial is None else cond.spatial.shape[1]
        if z_t.shape[1] + spatial != self.in_channels:
            raise ValueError(
                f'denoiser.in_channels={self.in_channels}, but latents have '
                f'{z_t.shape[1]} channels and the spatial condition {spatial}'
                f': set denoiser.in_channels={z_t.shape[1] + spatial}'
            )
        height, width = z_t.shape[-2:]
        if height % self.patch_size or width % self.patch_size:
            raise ValueError(
                f'denoiser.patch_size={self.patch_size} does not divide '
                f'latents of {height}x{width}: give images whose height and '
                'width are multiples of patch_size times the factor of the '
                'first stage'
            )
