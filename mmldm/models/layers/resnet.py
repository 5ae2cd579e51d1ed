"""Residual convolution blocks of the denoiser and the autoencoder."""

from torch import Tensor, nn

from mmldm.utils import check_divisible

NUM_GROUPS = 32


def group_norm(
    channels: int, eps: float, num_groups: int = NUM_GROUPS
) -> nn.GroupNorm:
    """Group normalisation, with 32 groups in all published models.

    Raises:
        ValueError: If the groups do not share ``channels`` evenly.
    """
    check_divisible(
        'channels', channels, 'the number of norm groups', num_groups
    )
    return nn.GroupNorm(num_groups, channels, eps=eps)


def zero_init(module: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """The module with zero weights: a residual branch that starts silent."""
    nn.init.zeros_(module.weight)
    nn.init.zeros_(module.bias)
    return module


class ResBlock(nn.Module):
    """norm, SiLU, conv, twice, plus a skip; Dhariwal & Nichol 2021.

    Args:
        in_channels: Multiple of ``num_groups``.
        out_channels: Multiple of ``num_groups``; a larger one with an
            embedding.
        embed_dim: Channels of an embedding added between the convolutions,
            which makes the block start as its skip; None for none.
        dropout: Probability of dropping before the second convolution.
        eps: Of the normalisations; 1e-5 in denoisers, 1e-6 in autoencoders.
        num_groups: Of the normalisations.

    Raises:
        ValueError: If the channels do not suit the groups.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        embed_dim: int | None = None,
        dropout: float = 0.0,
        eps: float = 1e-5,
        num_groups: int = NUM_GROUPS,
    ) -> None:
        super().__init__()
        if embed_dim is not None and out_channels == num_groups:
            raise ValueError(
                f'{out_channels} channels make every norm group a single '
                'channel, which cancels the time embedding: use at least '
                f'channels={2 * num_groups}'
            )
        self.norm1 = group_norm(in_channels, eps, num_groups)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = group_norm(out_channels, eps, num_groups)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.act = nn.SiLU()
        if embed_dim is not None:
            self.embed = nn.Linear(embed_dim, out_channels)
            zero_init(self.conv2)
        self.skip = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv2d(in_channels, out_channels, 1)
        )

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        """(B, in, h, w) and (B, embed_dim) -> (B, out, h, w)."""
        h = self.conv1(self.act(self.norm1(x)))
        if embedding is not None:
            h = h + self.embed(self.act(embedding))[:, :, None, None]
        h = self.conv2(self.dropout(self.act(self.norm2(h))))
        return self.skip(x) + h
