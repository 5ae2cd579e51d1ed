"""Captions as tokens, by a frozen pretrained text encoder."""

from typing import Any

from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils import check_choice
from mmldm.utils.devices import to_device
from mmldm.utils.typing import ConfigType, SampleList

from .embedder import Encode
from .frozen_network import FrozenNetwork
from .pretrained_tokens import AutoTokens, ClipTokens
from .tokenizers import check_ids

LAYERS = ('last', 'penultimate')
CLIP = 'clip_text_model'
# A text that tokenizers read in different ways.
PROBE = 'A photograph of 2 cats, unbelievably close; Zurich.'


@MODELS.register_module()
class TextEncoder(FrozenNetwork):
    """A text model of transformers: CLIP's, as in Stable Diffusion 1 and 2.

    T5's encoder, as in Imagen (Saharia et al. 2022, arXiv:2205.11487), BERT,
    RoBERTa and all other text models that transformers' ``AutoModel`` has also
    work; of one with a decoder, only the encoder is used.

    There is a token for every position of the caption, padding included; null
    is the empty caption. A tokenizer may mark padding, to which the text model
    does not attend, but for CLIP, which was trained without a mask. The
    denoiser attends to the tokens of all positions.
    The network is never trained, but may have a trained adapter
    (:class:`LoRA`). It is stored as described for :class:`FrozenNetwork`.

    Args:
        config: Arguments of a transformers config and its ``model_type``, such
            as 't5'; without ``model_type``, arguments of ``CLIPTextConfig``.
        pretrained: Folder of a model of transformers, or name on
            huggingface.co. Code in that folder is never executed.
        tokenizer: Folder or name of its tokenizer, loaded at the first
            caption; None for the tokenizer of ``pretrained``.
        max_length: Tokens per caption. Longer captions are cut, shorter ones
            padded as the tokenizer does.
        layer: Layer to read: 'last', or 'penultimate', the one before it, as
            if the last layer did not exist. If the architecture has a final
            norm, as CLIP, T5 and language models such as Llama have, it is
            applied in both cases. BERT and RoBERTa have none.
        pad_id: Id of the token that fills short captions of a CLIP, 0 in
            Stable Diffusion 2; None for the tokenizer's.

    Raises:
        ValueError: If both or none of ``config`` and ``pretrained`` is given,
            if the tokenizer is missing, or if the network is not available,
            is no text encoder, or needs code of its own.
    """

    slot = 'tokens'
    reads = ('caption',)
    data_folders = ('tokenizer',)
    what = 'a text encoder'
    model_type = CLIP
    sub_config = 'text_config'

    def __init__(
        self,
        config: ConfigType | None = None,
        pretrained: str | None = None,
        tokenizer: str | None = None,
        max_length: int = 77,
        layer: str = 'last',
        pad_id: int | None = None,
    ) -> None:
        super().__init__()
        check_choice('TextEncoder.layer', layer, LAYERS)
        if tokenizer is None and config is not None:
            raise ValueError(
                'TextEncoder.config needs a tokenizer, which is missing: give '
                "tokenizer, such as 'openai/clip-vit-large-patch14'"
            )
        self.init_network(config, pretrained)
        self.clip = self.network.config.model_type == CLIP
        self.tokenizer = self._tokens(
            tokenizer or pretrained, max_length, pad_id
        )
        self.dim = self.network.config.hidden_size
        self.layer = layer
        if layer == 'penultimate':
            _last_layer(self.network).register_forward_hook(
                _skip, with_kwargs=True
            )
        positions = _positions(self.network)
        if positions is not None and max_length > positions:
            raise ValueError(
                f'TextEncoder.max_length={max_length}, but the network has '
                f'{positions} positions: set max_length={positions}'
            )

    def _tokens(
        self, tokenizer: str, max_length: int, pad_id: int | None
    ) -> ClipTokens | AutoTokens:
        if self.clip:
            return ClipTokens(tokenizer, max_length, pad_id)
        if pad_id is not None:
            raise ValueError(
                f'TextEncoder.pad_id={pad_id} is for a CLIP, but the '
                f'network is a {self.network.config.model_type!r}: remove it'
            )
        return AutoTokens(tokenizer, max_length)

    @staticmethod
    def network_class(config: Any) -> type | None:
        """See :class:`FrozenNetwork`."""
        from transformers import (
            MODEL_FOR_TEXT_ENCODING_MAPPING,
            MODEL_MAPPING,
        )

        if type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING:
            return MODEL_FOR_TEXT_ENCODING_MAPPING[type(config)]
        found = MODEL_MAPPING.get(type(config), None)
        cls = found[0] if isinstance(found, tuple) else found
        # Models that also read images or sounds have a config for each.
        alone = not getattr(config, 'sub_configs', {})
        reads = getattr(cls, 'main_input_name', None) == 'input_ids'
        return cls if alone and reads else None

    def include_network(self) -> dict[str, Any]:
        """See :class:`FrozenNetwork`."""
        return super().include_network() | dict(
            tokenizer=self.tokenizer.pretrained,
            max_length=self.tokenizer.max_length,
            layer=self.layer,
            pad_id=getattr(self.tokenizer, 'pad_id', None),
        )

    def identity(self) -> dict[str, Any]:
        """See :class:`Embedder`; has the ids of a text, too."""
        tokenizer = self.tokenizer
        said, tokenizer.cut_is_said = tokenizer.cut_is_said, True
        ids = tokenizer.ids([PROBE])[0].tolist()
        tokenizer.cut_is_said = said  # of captions, not of this text
        return super().identity() | dict(layer=self.layer, ids=ids)

    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """Tokens of captions, (B, max_length, C).

        Args:
            data_samples: Each has a ``caption`` where it is not dropped.
            drop: See :class:`Embedder`.
            encode: Not used.

        Raises:
            ValueError: If a caption is missing, or the tokenizer is not
                available or not that of the network.
        """
        mask = None
        if self.clip:
            ids = self.tokenizer(data_samples, drop)
        else:
            ids, mask = self.tokenizer.with_mask(data_samples, drop)
        check_ids(
            ids,
            self.network.config.vocab_size,
            'the tokenizer',
            'TextEncoder.config.vocab_size',
        )
        seen = {}
        if mask is not None:
            # An empty caption may be all padding; attention needs a token.
            mask = mask.bool() | ~mask.any(1, keepdim=True)
            seen = dict(attention_mask=to_device(mask, self.device))
        with self.gradients():
            ids = to_device(ids, self.device)
            return self.network(ids, **seen).last_hidden_state


def _skip(
    layer: nn.Module, args: tuple, kwargs: dict, out: Any
) -> Tensor | tuple:
    """Hook that returns a layer's input in place of its output."""
    x = args[0] if args else kwargs['hidden_states']
    return (x, *out[1:]) if isinstance(out, tuple) else x


def _last_layer(network: nn.Module) -> nn.Module:
    """The last layer of a network.

    Raises:
        ValueError: If it is not clear which modules are the layers.
    """
    num = network.config.num_hidden_layers
    lists = {
        f'{name}.': module
        for name, module in network.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == num
    }
    outer = [
        module
        for name, module in lists.items()
        if not any(name != n and name.startswith(n) for n in lists)
    ]
    if len(outer) != 1:
        raise ValueError(
            "TextEncoder.layer='penultimate' is not available: the layers of "
            f"{type(network).__name__} are unknown: set layer='last'"
        )
    return outer[0][-1]


def _positions(network: nn.Module) -> int | None:
    """The most tokens that a network reads; None for any number."""
    num = getattr(network.config, 'max_position_embeddings', None)
    for name, module in network.named_modules():
        # RoBERTa counts positions from after the row of padding.
        padding = getattr(module, 'padding_idx', None)
        if name.endswith('position_embeddings') and padding is not None:
            return num - padding - 1
    return num
