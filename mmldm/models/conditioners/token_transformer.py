"""A transformer over tokens, trained together with the denoiser."""

from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.structures import Condition, LDMDataSample
from mmldm.utils import check_count, check_positive
from mmldm.utils.devices import to_device
from mmldm.utils.typing import ConfigType, SampleList

from ..layers import CrossAttention
from .embedder import Embedder, Encode
from .tokenizers import check_ids


class EncoderBlock(nn.Module):
    """Self-attention and feed-forward, each pre-normed.

    Args:
        channels: Channels of the sequence.
        num_heads: Attention heads.
        head_channels: Channels of a head, independent of ``channels``.
    """

    def __init__(
        self, channels: int, num_heads: int, head_channels: int
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn = CrossAttention(
            channels, channels, num_heads, head_channels
        )
        self.norm2 = nn.LayerNorm(channels)
        self.feed_forward = nn.Sequential(
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, L, C)."""
        h = self.norm1(x)
        x = x + self.attn(h, h)
        return x + self.feed_forward(self.norm2(x))


@MODELS.register_module()
class TokenTransformer(Embedder):
    """The paper's encoder of captions and layouts.

    Rombach et al. 2022, section 3.3 and app. E.2.1. Positions are learned.
    There is no mask: padding is attended to as well.

    Args:
        tokenizer: Config of a :class:`Tokenizer`.
        embed_dim: Channels of the tokens, in and out.
        num_layers: Number of blocks.
        num_heads: Attention heads.
        head_channels: Channels of a head, independent of ``embed_dim``.
        logits: Keep the layer from tokens to vocabulary that published models
            have. It is neither used nor trained.
        init_std: Initial standard deviation of the embeddings of tokens and
            positions, > 0. The default is the original's. With 1, a small
            transformer learns much sooner which words are neighbours.
        pooled: Whether the mean of the tokens also fills the slot 'vector',
            which reaches every residual block of a UNet. Networks that have
            to tell many captions apart learn sooner with it.
        vocab_size: Number of tokens; None for the tokenizer's own.
        max_length: Most tokens of a sample; None for the tokenizer's own.

    Raises:
        ValueError: If ``vocab_size`` or ``max_length`` is missing and the
            tokenizer does not know it before it reads its files.
    """

    slot = 'tokens'

    def __init__(
        self,
        tokenizer: ConfigType,
        embed_dim: int,
        num_layers: int,
        num_heads: int = 8,
        head_channels: int = 64,
        logits: bool = False,
        init_std: float = 0.02,
        pooled: bool = False,
        vocab_size: int | None = None,
        max_length: int | None = None,
    ) -> None:
        super().__init__()
        self.tokenizer = MODELS.build(tokenizer)
        vocab_size = self._size('vocab_size', vocab_size)
        max_length = self._size('max_length', max_length)
        for key, value in (
            ('vocab_size', vocab_size),
            ('max_length', max_length),
            ('embed_dim', embed_dim),
            ('num_layers', num_layers),
        ):
            check_count(f'TokenTransformer.{key}', value)
        check_positive('TokenTransformer.init_std', init_std)
        self.dim = embed_dim
        self.pooled = pooled
        if pooled:
            self.dims = dict(tokens=embed_dim, vector=embed_dim)
        self.reads = self.tokenizer.reads
        self.token_embed = _embedding(vocab_size, embed_dim, init_std)
        self.position_embed = _embedding(max_length, embed_dim, init_std)
        heads = num_heads, head_channels
        blocks = (EncoderBlock(embed_dim, *heads) for _ in range(num_layers))
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(embed_dim)
        if logits:
            self.to_logits = nn.Linear(embed_dim, vocab_size)
            self.to_logits.requires_grad_(False)

    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor | Condition:
        """Tokens of a batch, (B, L, embed_dim).

        If ``pooled``, they are in a condition, with vectors (B, embed_dim).

        Args:
            data_samples: Samples with the fields that the tokenizer reads.
            drop: See :class:`Embedder`.
            encode: Not used.

        Raises:
            ValueError: If there are more tokens than ``max_length``, or ids
                without an embedding.
        """
        ids = self.tokenizer(data_samples, drop)
        self._check(ids)
        x = self.token_embed(to_device(ids, self.token_embed.weight.device))
        x = x + self.position_embed.weight[: ids.shape[1]]
        x = self.norm(self.blocks(x))
        return Condition(tokens=x, vector=x.mean(1)) if self.pooled else x

    def check(self, sample: LDMDataSample) -> None:
        """See :class:`Embedder`."""
        self.tokenizer.check(sample)

    @property
    def shard_units(self) -> list[nn.Module]:
        """The blocks; see :class:`Denoiser`."""
        return [*self.blocks]

    def _size(self, key: str, stated: int | None) -> int:
        """A size from the config, or else from the tokenizer."""
        size = stated
        if size is None:
            size = getattr(self.tokenizer, key, None)
        if size is None:
            raise ValueError(
                f'TokenTransformer.{key} is missing, and '
                f'{type(self.tokenizer).__name__} does not know it before it '
                f'reads its files: give the {key} of the tokenizer'
            )
        return size

    def _check(self, ids: Tensor) -> None:
        """Raise if a position or an id has no embedding."""
        kind = type(self.tokenizer).__name__
        max_length = self.position_embed.num_embeddings
        if ids.shape[1] > max_length:
            raise ValueError(
                f'{kind} yields {ids.shape[1]} tokens, but '
                f'TokenTransformer.max_length={max_length}: set both alike'
            )
        check_ids(
            ids,
            self.token_embed.num_embeddings,
            kind,
            'TokenTransformer.vocab_size',
        )


def _embedding(rows: int, channels: int, std: float) -> nn.Embedding:
    embedding = nn.Embedding(rows, channels)
    nn.init.normal_(embedding.weight, std=std)
    return embedding
