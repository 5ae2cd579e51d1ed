"""A text encoder that others have trained, frozen."""

from typing import Any

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils import check_choice
from mmldm.utils.typing import ConfigType, SampleList

from .embedder import Encode
from .frozen_network import FrozenNetwork
from .pretrained_tokens import AutoTokens, ClipTokens
from .tokenizers import check_ids

LAYERS = ('last', 'penultimate')
CLIP = 'clip_text_model'


@MODELS.register_module()
class TextEncoder(FrozenNetwork):
    """A text model by transformers: CLIP's, as in Stable Diffusion 1 and 2.

    Or T5's encoder, as in Imagen (Saharia et al. 2022, arXiv:2205.11487), or
    BERT, RoBERTa and whatever else transformers' ``AutoModel`` knows that
    reads text alone; of an encoder with a decoder, the encoder.

    A token for every position of the caption, padding included; null is the
    empty caption. What reads captions knows which tokens are padding, where
    its tokenizer says so; CLIP, trained without, attends to all. The network
    is never trained. Given by ``config``, its weights are part of the model's
    checkpoints; given by ``pretrained``, they are not: their hash is, and
    loading verifies it.

    Args:
        config: Of transformers: ``model_type``, such as 't5', and arguments
            of the config of that name; those of ``CLIPTextConfig`` without.
        pretrained: Folder of a model of transformers, or name on
            huggingface.co. Code that it brings along is never executed.
        tokenizer: Folder of its tokenizer, or name, looked for at the first
            caption; None for that of ``pretrained``.
        max_length: Tokens a caption: longer ones are cut, shorter ones padded
            as the tokenizer does.
        layer: 'last', or 'penultimate', the layer before, as if the last one
            were not there: what the architecture does behind its last layer
            is done to either. CLIP and T5 have a final norm there, language
            models such as Llama too, BERT and RoBERTa nothing.

    Raises:
        ValueError: If not one of ``config`` and ``pretrained`` is given, there
            is no tokenizer, or the network is not to be had, is no text
            encoder, or needs code of its own.
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
    ) -> None:
        super().__init__()
        check_choice('TextEncoder.layer', layer, LAYERS)
        if tokenizer is None and config is not None:
            raise ValueError(
                'TextEncoder.config says nothing of a tokenizer: give '
                "tokenizer, such as 'openai/clip-vit-large-patch14'"
            )
        self.init_network(config, pretrained)
        self.clip = self.network.config.model_type == CLIP
        tokens = ClipTokens if self.clip else AutoTokens
        self.tokenizer = tokens(tokenizer or pretrained, max_length)
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
        # What else it reads, images or sounds, has a config of its own.
        alone = not getattr(config, 'sub_configs', {})
        reads = getattr(cls, 'main_input_name', None) == 'input_ids'
        return cls if alone and reads else None

    def include_network(self) -> dict[str, Any]:
        """See :class:`FrozenNetwork`."""
        return super().include_network() | dict(
            tokenizer=self.tokenizer.pretrained,
            max_length=self.tokenizer.max_length,
            layer=self.layer,
        )

    @torch.no_grad()
    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """(B, max_length, C).

        Args:
            data_samples: With a ``caption`` where not dropped.
            drop: See :class:`Embedder`.
            encode: Not used.

        Raises:
            ValueError: If a caption is missing, or the tokenizer is not to be
                had or not that of the network.
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
            # Where an empty caption is but padding, attention needs that.
            mask = mask.bool() | ~mask.any(1, keepdim=True)
            seen = dict(attention_mask=mask.to(self.device))
        return self.network(ids.to(self.device), **seen).last_hidden_state


def _skip(
    layer: nn.Module, args: tuple, kwargs: dict, out: Any
) -> Tensor | tuple:
    """What came into a layer, in the place of what comes out."""
    x = args[0] if args else kwargs['hidden_states']
    return (x, *out[1:]) if isinstance(out, tuple) else x


def _last_layer(network: nn.Module) -> nn.Module:
    """The last of a network's layers.

    Raises:
        ValueError: If it is not clear which they are.
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
            "TextEncoder.layer='penultimate', but which the layers of a "
            f"{type(network).__name__} are is not known: set layer='last'"
        )
    return outer[0][-1]


def _positions(network: nn.Module) -> int | None:
    """The most tokens that a network reads; None if that is any number."""
    num = getattr(network.config, 'max_position_embeddings', None)
    for name, module in network.named_modules():
        # RoBERTa counts from behind the row of padding.
        padding = getattr(module, 'padding_idx', None)
        if name.endswith('position_embeddings') and padding is not None:
            return num - padding - 1
    return num
