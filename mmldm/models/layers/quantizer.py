"""Vector quantisation, and remedies that keep all codes in use."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils import check_positive
from mmldm.utils.typing import DrawNoise

from .code_search import (
    elect_vectors,
    nearest_codes,
    rows_of,
    usage_logs,
    with_copies,
)
from .codebook_state import check_weights, fit_state

KMEANS_STEPS = 20
# Laplace smoothing of cluster sizes; van den Oord et al. 2017, A.1.
SMOOTHING = 1e-5

# (n) -> the n vectors of the global batch, or fewer, that replace codes.
Elect = Callable[[int], Tensor]


class Quantized(NamedTuple):
    """Result of quantisation in a training step.

    Attributes:
        z_q: The codes, (B, dim, h, w). Their gradient goes straight to z,
            or with ``normalize`` to the normalised z.
        indices: Indices of the codes, (B, h, w), int64.
        losses: ``commit`` pulls z to its codes. ``codebook`` pulls the codes
            to z, unless averages move them. Weighted, each of shape ().
        logs: Values over the batch of all processes, each of shape ():
            ``perplexity``, the exponential of the entropy of the used codes,
            and ``code_usage``, the share of the codebook that is used.
    """

    z_q: Tensor
    indices: Tensor
    losses: dict[str, Tensor]
    logs: dict[str, Tensor]


@MODELS.register_module()
class VectorQuantizer(nn.Module):
    """Nearest codes of a codebook; van den Oord et al. 2017, section 3.

    It computes in float32, also under autocast. A training step depends only
    on the global batch. All processes must have equally many positions.

    Args:
        num_codes: Number of codes.
        dim: Channels of a code.
        beta: Weight of the commitment term, >= 0.
        legacy_beta: Whether ``beta`` weighs the codebook term instead, as in
            the models of Esser et al. 2021 and Rombach et al. 2022.
        ema_decay: Decay in (0, 1) of the running averages of vectors that
            codes then are; they have no gradient (ibid., app. A.1). None
            trains the codes.
        kmeans_init: Whether the first training step sets the codes by k-means
            of its vectors, unless a state was loaded.
        revive_after: Number of training steps in a row after which an unused
            code is replaced by a vector of the batch; None for never.
        normalize: Whether codes and vectors have length 1 when they are
            compared and used; Yu et al. 2022 (arXiv:2110.04627), section 3.2.

    Raises:
        ValueError: If an argument is out of range, or both ``legacy_beta``
            and ``ema_decay`` are given.
    """

    #: Arguments without effect once weights are loaded.
    training_arguments = (
        *('beta', 'legacy_beta', 'ema_decay', 'kmeans_init', 'revive_after'),
    )

    def __init__(
        self,
        num_codes: int,
        dim: int,
        beta: float = 0.25,
        legacy_beta: bool = False,
        ema_decay: float | None = None,
        kmeans_init: bool = False,
        revive_after: int | None = None,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        check_positive('num_codes', num_codes)
        check_positive('dim', dim)
        check_weights(beta, legacy_beta, ema_decay)
        if revive_after is not None:
            check_positive('revive_after', revive_after)
        self.num_codes = num_codes
        self.dim = dim
        self.commit_weight = 1.0 if legacy_beta else beta
        self.codebook_weight = beta if legacy_beta else 1.0
        self.ema_decay = ema_decay
        self.kmeans_init = kmeans_init
        self.revive_after = revive_after
        self.normalize = normalize
        codebook = torch.empty(num_codes, dim)
        nn.init.uniform_(codebook, -1 / num_codes, 1 / num_codes)
        # Length 1 from the start: a step of an optimizer turns a code by about
        # the step divided by the code's length.
        self.codebook = nn.Parameter(
            self._to_length(codebook), requires_grad=ema_decay is None
        )
        for name, value in self.state_of(self.codebook.detach()).items():
            self.register_buffer(name, value)
        if kmeans_init:
            self.initialized.fill_(False)
        # Whether `initialized` was read as True; it is on the GPU.
        self.known_initialized = False
        self.register_load_state_dict_pre_hook(fit_state)

    @property
    def codes(self) -> Tensor:
        """The codebook as used, (num_codes, dim)."""
        return self._to_length(self.codebook)

    def forward(self, z: Tensor, draw_noise: DrawNoise) -> Quantized:
        """Quantise latents; in training mode, also update the codebook.

        All processes must call it the same number of times.

        Args:
            z: Latents, (B, dim, h, w).
            draw_noise: Makes a random rank for every position; vectors with
                the highest ranks replace codes.

        Raises:
            ValueError: If z does not have ``dim`` channels.
        """
        z = self._checked(z)
        target = self._to_length(z)
        vectors = rows_of(target.detach())
        elect = partial(elect_vectors, vectors, z, draw_noise)
        if self.training and self.kmeans_init and not self.known_initialized:
            if not self.initialized:
                self._init_by_k_means(vectors, elect)
            self.known_initialized = True
        flat = nearest_codes(vectors, self.codes)
        indices = flat.view(len(z), *z.shape[2:])
        z_q = self.embed(indices)
        losses = self._losses(target, z_q)
        sizes = self._sizes(flat)
        if self.training:
            self._maintain(vectors, flat, sizes, elect)
        # Adding it to zero keeps z_q equal to the code in all bits.
        straight = z_q.detach() + (target - target.detach())
        return Quantized(straight, indices, losses, usage_logs(sizes))

    def lookup(self, z: Tensor) -> Tensor:
        """Indices of the nearest codes, (B, dim, h, w) -> (B, h, w).

        Raises:
            ValueError: If z does not have ``dim`` channels.
        """
        vectors = rows_of(self._to_length(self._checked(z)))
        indices = nearest_codes(vectors, self.codes)
        return indices.view(len(z), *z.shape[2:])

    def embed(self, indices: Tensor) -> Tensor:
        """Codes of indices, (B, h, w) -> (B, dim, h, w)."""
        # Lookup before normalisation: backward then needs no copy of the
        # codebook, which a training step may change before it.
        codes = F.embedding(indices, self.codebook).permute(0, 3, 1, 2)
        # Contiguous: a decoder would inherit channels-last strides.
        return self._to_length(codes.contiguous())

    def quantize(self, z: Tensor) -> Tensor:
        """The nearest codes themselves, (B, dim, h, w); see :meth:`lookup`."""
        return self.embed(self.lookup(z))

    def _checked(self, z: Tensor) -> Tensor:
        """The latents z as float32, once their shape is valid."""
        if z.ndim != 4 or z.shape[1] != self.dim:
            raise ValueError(
                f'z has the shape {tuple(z.shape)}, but codes have '
                f'dim={self.dim}: give (B, {self.dim}, h, w) or set dim to '
                'the channels of z'
            )
        return z.float()

    def _to_length(self, vectors: Tensor) -> Tensor:
        """Vectors scaled to length 1 along axis 1, if ``normalize`` is set."""
        return F.normalize(vectors, dim=1) if self.normalize else vectors

    def _losses(self, target: Tensor, z_q: Tensor) -> dict[str, Tensor]:
        commit = (target - z_q.detach()).square().mean()
        losses = dict(commit=self.commit_weight * commit)
        if self.ema_decay is None:
            codebook = (target.detach() - z_q).square().mean()
            losses['codebook'] = self.codebook_weight * codebook
        return losses

    def state_of(self, codebook: Tensor) -> dict[str, Tensor]:
        """The buffers that fit a given codebook."""
        state = {}
        if self.ema_decay is not None:
            state['ema_size'] = codebook.new_ones(len(codebook))
            state['ema_sum'] = codebook.clone()
        if self.kmeans_init:
            state['initialized'] = torch.tensor(True)
        if self.revive_after is not None:
            state['idle'] = torch.zeros(len(codebook), dtype=torch.int64)
        return state

    @torch.no_grad()
    def _maintain(
        self, vectors: Tensor, indices: Tensor, sizes: Tensor, elect: Elect
    ) -> None:
        """Update the averages and revive codes."""
        if self.ema_decay is not None:
            self._average(sizes, self._sums(vectors, indices))
        if self.revive_after is not None:
            self._revive(sizes, elect)

    def _average(self, sizes: Tensor, sums: Tensor) -> None:
        self.ema_size.lerp_(sizes.to(self.ema_size), 1 - self.ema_decay)
        self.ema_sum.lerp_(sums.to(self.ema_sum), 1 - self.ema_decay)
        total = self.ema_size.sum()
        share = (self.ema_size + SMOOTHING) / (
            total + self.num_codes * SMOOTHING
        )
        self.codebook.copy_(self.ema_sum / (share * total)[:, None])

    def _revive(self, sizes: Tensor, elect: Elect) -> None:
        self.idle.add_(1).masked_fill_(sizes > 0, 0)
        dead = self.idle >= self.revive_after
        if dead.device.type == 'cpu' and not dead.any():
            return
        # Whatever their number: to read it would wait for the GPU.
        vectors = elect(self.num_codes)
        rank = dead.cumsum(0) - 1
        # If the batch has too few vectors, the rest waits.
        revived = dead & (rank < len(vectors))
        self._place(revived, vectors[rank.clamp(0, len(vectors) - 1)])
        self.idle.masked_fill_(revived, 0)

    @torch.no_grad()
    def _init_by_k_means(self, vectors: Tensor, elect: Elect) -> None:
        """Set the codes by Lloyd's algorithm, from vectors of the batch."""
        codes = with_copies(elect(self.num_codes), self.num_codes)
        for _ in range(KMEANS_STEPS):
            indices = nearest_codes(vectors, codes)
            sizes = self._sizes(indices)[:, None]
            means = self._sums(vectors, indices) / sizes
            codes = torch.where(sizes > 0, means.to(codes), codes)
            codes = self._to_length(codes)
        everywhere = self.initialized.new_ones(self.num_codes)
        self._place(everywhere, codes)
        self.initialized.fill_(True)

    def _place(self, where: Tensor, vectors: Tensor) -> None:
        """Set codes, with averages as if each were used by one vector.

        Args:
            where: True for the codes to set, (num_codes,).
            vectors: A vector for each code, (num_codes, dim).
        """
        rows = where[:, None]
        for kept in (self.codebook, getattr(self, 'ema_sum', None)):
            if kept is not None:
                kept.copy_(torch.where(rows, vectors.to(kept), kept))
        if self.ema_decay is not None:
            self.ema_size.masked_fill_(where, 1)

    def _sizes(self, indices: Tensor) -> Tensor:
        """Number of vectors of all processes per code, (num_codes,)."""
        # Unlike bincount, which looks for the largest index first, this does
        # not wait for the GPU.
        sizes = indices.new_zeros(self.num_codes)
        sizes.scatter_add_(0, indices, torch.ones_like(indices))
        all_reduce(sizes)
        return sizes

    def _sums(self, vectors: Tensor, indices: Tensor) -> Tensor:
        """Sums of the vectors of each code, (num_codes, dim)."""
        # float64: the result does not depend on the order of the summands,
        # hence not on the number of processes.
        vectors = vectors.double()
        sums = vectors.new_zeros(self.num_codes, self.dim)
        sums.index_add_(0, indices, vectors)
        all_reduce(sums)
        return sums
